//go:build linux || darwin

// Package disktest fills up the disk, as far as a test can tell.
package disktest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// variable names where the second run of the test writes.
const variable = "NAMI_TEST_FULL_DISK"

// Full tests what happens when the disk fills up. before writes something at a path, which is
// the only entry of its folder; during writes there again while no file may have more than
// 512 bytes, and must fail with an error that names the path; after checks that what was there
// before still is. The limit stands for the rest of a process, so the test runs itself again
// under it: call Full once, at the start of the test.
func Full(t *testing.T, before, during func(path string) error, after func(path string)) {
	t.Helper()
	if path := os.Getenv(variable); path != "" {
		limit := syscall.Rlimit{Cur: 512, Max: 512}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
		if err := during(path); !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v, expected an error that names %s", err, path)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "saved")
	if err := before(path); err != nil {
		t.Fatal(err)
	}
	names := entries(t, path)
	command := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	command.Env = append(os.Environ(), variable+"="+path)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("under the limit: %v\n%s", err, out)
	}
	after(path)
	if left := entries(t, path); left != names {
		t.Errorf("there are %s, expected %s", left, names)
	}
}

// entries are the names of all files beside a path, and below it if it is a folder.
func entries(t *testing.T, path string) string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(filepath.Dir(path), func(name string, _ os.DirEntry, err error) error {
		names = append(names, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}

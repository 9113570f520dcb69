//go:build linux || darwin

package modelfile_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nami-flow/go-nami/nami/modelfile"
)

// A disk that fills up while a model is saved is an error that names the file, and the file that
// was there stays. A limit on the size of files stands in for the disk: the test runs itself
// again under it.
func TestFullDisk(t *testing.T) {
	name := os.Getenv("NAMI_TEST_FULL_DISK")
	if name == "" {
		name = filepath.Join(t.TempDir(), "model.safetensors")
		if err := modelfile.Save(name, whole(t)); err != nil {
			t.Fatal(err)
		}
		before, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		command := exec.Command(os.Args[0], "-test.run=^TestFullDisk$", "-test.v")
		command.Env = append(os.Environ(), "NAMI_TEST_FULL_DISK="+name)
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("under the limit: %v\n%s", err, out)
		}
		if after, err := os.ReadFile(name); err != nil || !bytes.Equal(before, after) {
			t.Errorf("the file before is gone, or another (%v)", err)
		}
		files, err := os.ReadDir(filepath.Dir(name))
		if err != nil || len(files) != 1 {
			t.Errorf("the folder holds %v (%v), expected the file alone", files, err)
		}
		return
	}
	limit := syscall.Rlimit{Cur: 512, Max: 512}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	f := whole(t)
	f.Notes = "another"
	if err := modelfile.Save(name, f); !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), name) {
		t.Errorf("got %v, expected an error that names the file", err)
	}
}

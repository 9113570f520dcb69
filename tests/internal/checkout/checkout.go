// Package checkout gives tests what they test from without: the folder they are in, its
// notebooks, and the kernel command built from it.
package checkout

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Root is the checkout's folder.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("the tests must run in nami's checkout")
		}
		dir = parent
	}
}

// Notebooks lists the notebooks below books, by their paths in the checkout.
func Notebooks(t testing.TB) (paths []string) {
	t.Helper()
	files := os.DirFS(Root(t))
	err := fs.WalkDir(files, "books", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && strings.HasPrefix(entry.Name(), ".ipynb") {
			return fs.SkipDir
		}
		if err == nil && filepath.Ext(path) == ".ipynb" {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatal("there are no notebooks below books")
	}
	return paths
}

// Kernel is the kernel command, built. It runs in the checkout's folder.
type Kernel struct{ binary, root string }

// BuildKernel builds the kernel command, for as many runs as a test needs.
func BuildKernel(t testing.TB) Kernel {
	t.Helper()
	k := Kernel{filepath.Join(t.TempDir(), "kernel"), Root(t)}
	build := exec.Command("go", "build", "-o", k.binary, "./kernel")
	build.Dir = k.root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return k
}

// NeedEnvironment skips the test where the environment of notebooks isn't installed; in CI
// that fails.
func (k Kernel) NeedEnvironment(t testing.TB) {
	t.Helper()
	out, code := k.Run(t, "doctor")
	switch {
	case code == 0:
	case os.Getenv("CI") == "":
		t.Skip("notebooks need an environment: `go run ./kernel install` makes it")
	default:
		t.Fatalf("the environment of notebooks isn't there, and CI is set:\n%s", out)
	}
}

// Command is the kernel command with these arguments.
func (k Kernel) Command(args ...string) *exec.Cmd {
	command := exec.Command(k.binary, args...)
	command.Dir = k.root
	return command
}

// Run returns what the command wrote, and its exit code.
func (k Kernel) Run(t testing.TB, args ...string) (output string, code int) {
	t.Helper()
	command := k.Command(args...)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), command.ProcessState.ExitCode()
}

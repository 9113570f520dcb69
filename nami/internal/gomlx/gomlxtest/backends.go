// Package gomlxtest runs tests on every backend.
package gomlxtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute"
)

// Run runs a test as the sub-tests "go" and "xla", on backends that are opened once in
// each process. Where XLA's plugin is missing, it is installed first, as `go run
// ./kernel install` does; with -short the sub-test is skipped instead. If it can't be
// had, the sub-test is skipped, but fails where $CI is set.
func Run(t *testing.T, f func(t *testing.T, backend compute.Backend)) {
	t.Helper()
	t.Run("go", func(t *testing.T) { f(t, Go(t)) })
	t.Run("xla", func(t *testing.T) { f(t, XLA(t)) })
}

// Go is the pure Go backend.
func Go(t testing.TB) compute.Backend {
	t.Helper()
	return must(t, goBackend)
}

// XLA is the XLA backend on the CPU; it skips the test as [Run] says.
func XLA(t testing.TB) compute.Backend {
	t.Helper()
	if gomlx.PluginPath() == "" && !testing.Short() {
		if err := install(); err != nil {
			t.Logf("installing XLA's plugin: %v", err)
		}
	}
	if gomlx.PluginPath() == "" {
		if os.Getenv("CI") != "" && !testing.Short() {
			t.Fatal("XLA's plugin is missing, and here every test must run on XLA")
		}
		t.Skip("XLA's plugin is missing: `go run ./kernel install` installs it")
	}
	return must(t, xlaBackend)
}

var (
	goBackend  = sync.OnceValues(func() (compute.Backend, error) { return gomlx.Open("go") })
	xlaBackend = sync.OnceValues(func() (compute.Backend, error) { return gomlx.Open("xla") })
)

func must(t testing.TB, open func() (compute.Backend, error)) compute.Backend {
	t.Helper()
	backend, err := open()
	if err != nil {
		t.Fatal(err)
	}
	return backend
}

var install = sync.OnceValue(func() error {
	_, here, _, _ := runtime.Caller(0)
	command := exec.Command("go", "run", "./kernel", "install")
	command.Dir = filepath.Join(filepath.Dir(here), "../../../..")
	command.Stdout, command.Stderr = os.Stderr, os.Stderr
	return command.Run()
})

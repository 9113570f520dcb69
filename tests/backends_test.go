package tests

import (
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/nami-flow/go-nami/nami"

	"github.com/gomlx/compute"
)

// onBackends runs a test as the sub-tests "go" and "xla". Where XLA's plugin is
// missing it is installed first, as the README's first command does; with -short the
// sub-test is skipped instead. What then still lacks XLA skips it, but fails in CI.
func onBackends(t *testing.T, f func(t *testing.T, backend compute.Backend)) {
	t.Helper()
	t.Run("go", func(t *testing.T) {
		backend, err := goBackend()
		if err != nil {
			t.Fatal(err)
		}
		f(t, backend)
	})
	t.Run("xla", func(t *testing.T) {
		backend, err := xlaBackend()
		switch {
		case err == nil:
			f(t, backend)
		case testing.Short() || os.Getenv("CI") == "":
			t.Skip(err)
		default:
			t.Fatal(err)
		}
	})
}

var (
	goBackend  = sync.OnceValues(func() (compute.Backend, error) { return nami.OpenBackend("go") })
	xlaBackend = sync.OnceValues(func() (compute.Backend, error) {
		backend, err := nami.OpenBackend("xla")
		if err == nil || testing.Short() {
			return backend, err
		}
		// The user's own Jupyter stays as it is.
		jupyter, err := os.MkdirTemp("", "nami-jupyter-")
		if err != nil {
			return nil, err
		}
		defer func() { _ = os.RemoveAll(jupyter) }()
		command := exec.Command("go", "run", "./kernel", "install")
		command.Dir = ".."
		command.Env = append(os.Environ(), "JUPYTER_DATA_DIR="+jupyter)
		command.Stdout, command.Stderr = os.Stderr, os.Stderr
		if err := command.Run(); err != nil {
			return nil, err
		}
		return nami.OpenBackend("xla")
	})
)

// Package backends runs tests on every backend: the one rule of when a test does without
// XLA, for unit tests and black-box tests alike.
package backends

import (
	"os"
	"sync"
	"testing"

	"github.com/gomlx/compute"
)

// A Set is the backends of a test program, each opened once. It installs nothing, and
// touches no file of the user's.
type Set struct {
	pureGo, xla func() (compute.Backend, error)
}

// Of is a set whose backends are opened by name: "go" and "xla".
func Of(open func(config string) (compute.Backend, error)) *Set {
	return &Set{
		pureGo: sync.OnceValues(func() (compute.Backend, error) { return open("go") }),
		xla:    sync.OnceValues(func() (compute.Backend, error) { return open("xla") }),
	}
}

// Run runs a test as the sub-tests "go" and "xla". Where XLA can't be opened, the second
// one is skipped with the reason, but fails where $CI is set.
func (s *Set) Run(t *testing.T, test func(t *testing.T, backend compute.Backend)) {
	t.Helper()
	t.Run("go", func(t *testing.T) { test(t, s.Go(t)) })
	t.Run("xla", func(t *testing.T) { test(t, s.XLA(t)) })
}

// RunLong is Run for a test that takes XLA long to compile, and of whose subject another test
// shows that XLA computes it: the sub-test "xla" is there with the tag slow alone, as on CI.
func (s *Set) RunLong(t *testing.T, test func(t *testing.T, backend compute.Backend)) {
	t.Helper()
	if full {
		s.Run(t, test)
		return
	}
	t.Run("go", func(t *testing.T) { test(t, s.Go(t)) })
}

// Go is the pure Go backend.
func (s *Set) Go(t testing.TB) compute.Backend {
	t.Helper()
	backend, err := s.pureGo()
	if err != nil {
		t.Fatal(err)
	}
	return backend
}

// XLA is the XLA backend on the CPU; without it the test is skipped or fails, as [Set.Run]
// says.
func (s *Set) XLA(t testing.TB) compute.Backend {
	t.Helper()
	backend, err := s.xla()
	switch {
	case err == nil:
	case os.Getenv("CI") == "":
		t.Skip(err)
	default:
		t.Fatalf("%v (CI is set, so every test must run on XLA)", err)
	}
	return backend
}

// Package gomlxtest runs tests on every backend.
package gomlxtest

import (
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
)

var all = backends.Of(gomlx.Open)

// Run runs a test as the sub-tests "go" and "xla"; see [backends.Set.Run].
func Run(t *testing.T, test func(t *testing.T, backend compute.Backend)) {
	t.Helper()
	all.Run(t, test)
}

// RunLong runs a test that takes XLA long to compile; see [backends.Set.RunLong].
func RunLong(t *testing.T, test func(t *testing.T, backend compute.Backend)) {
	t.Helper()
	all.RunLong(t, test)
}

// Go is the pure Go backend.
func Go(t testing.TB) compute.Backend {
	t.Helper()
	return all.Go(t)
}

// XLA is the XLA backend on the CPU; without it the test is skipped, or fails where $CI is
// set.
func XLA(t testing.TB) compute.Backend {
	t.Helper()
	return all.XLA(t)
}

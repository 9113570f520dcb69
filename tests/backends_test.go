package tests

import (
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
)

var all = backends.Of(nami.OpenBackend)

// onBackends runs a test as the sub-tests "go" and "xla"; see [backends.Set.Run].
func onBackends(t *testing.T, test func(t *testing.T, backend compute.Backend)) {
	t.Helper()
	all.Run(t, test)
}

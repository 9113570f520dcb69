package nami

import (
	"sync"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute"
)

// OpenBackend opens what computes. config is "go", "xla", "xla:" and the path of a
// PJRT plugin, or empty: then the environment variable GOMLX_BACKEND decides if it is
// set, and otherwise it is XLA on the CPU if its plugin is installed, and pure Go if
// not. Nothing is ever downloaded: `go run ./kernel install` installs the plugin.
func OpenBackend(config string) (compute.Backend, error) {
	return gomlx.Open(config)
}

// MustBackend is [OpenBackend] with an empty config, for programs that can't go on
// without a backend: it panics. It returns the same backend each time, as tensors that one
// backend holds are of no use to another.
func MustBackend() compute.Backend {
	backend, err := shared()
	if err != nil {
		panic(err)
	}
	return backend
}

var shared = sync.OnceValues(func() (compute.Backend, error) { return OpenBackend("") })

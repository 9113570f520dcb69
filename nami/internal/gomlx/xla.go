//go:build cgo && (linux || darwin) && !noxla

package gomlx

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"
)

const xlaLinked = true

func init() { xla.EnableAutoInstall(false) }

// newXLA opens XLA with what follows "xla:" in a backend's configuration. Unless told
// otherwise, the CPU's plugin makes four devices of one machine and a thread for each,
// also where there are fewer cores: they then get in each other's way.
func newXLA(config string, cpu bool) (compute.Backend, error) {
	options := pjrt.NamedValuesMap{}
	if cpu {
		options["cpu_device_count"] = int64(1)
	}
	backend, err := xla.NewWithOptions(config, options)
	if err != nil {
		return nil, err // not a nil *xla.Backend, which would be no nil compute.Backend
	}
	return backend, nil
}

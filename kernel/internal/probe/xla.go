//go:build cgo && (linux || darwin)

package main

import (
	"fmt"

	_ "github.com/gomlx/go-xla/compute/xla" // what a cell links
	"github.com/gomlx/go-xla/pjrt"
)

func probe(path string) (found report, err error) {
	plugin, err := pjrt.GetPlugin(path)
	if err != nil {
		return found, err
	}
	major, minor := plugin.Version()
	found.PJRT = fmt.Sprintf("v%d.%d", major, minor)
	// As nami opens it: left alone, the plugin makes several devices of one CPU.
	client, err := plugin.NewClient(pjrt.NamedValuesMap{"cpu_device_count": int64(1)})
	if err != nil {
		return found, err
	}
	found.Platform = client.Platform()
	for i := range client.AddressableDevices() {
		found.Devices = append(found.Devices, fmt.Sprintf("%s:%d", found.Platform, i))
	}
	return found, client.Destroy()
}

// Package gomlx holds what GoMLX lacks or gets wrong, each with the test that shows
// it, so that nobody who uses nami meets it.
package gomlx

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend" // the backend "go"
)

// Open opens a backend. config is "go", "xla", "xla:" and the absolute path of a PJRT
// plugin, or empty: then $GOMLX_BACKEND decides if it is set, else it is XLA on the
// CPU if a plugin is installed (see [PluginPath]), and pure Go if not.
//
// GoMLX's own way downloads a plugin when it finds none, and panics where that fails.
// This one never downloads and never panics.
func Open(config string) (compute.Backend, error) {
	chosen := config != "" || os.Getenv("GOMLX_BACKEND") != ""
	if config == "" {
		config = os.Getenv("GOMLX_BACKEND")
	}
	if config == "" {
		config = "go"
		if xlaLinked && PluginPath() != "" {
			config = "xla"
		}
	}
	backend, err := open(config)
	if err != nil && !chosen {
		fmt.Fprintf(os.Stderr, "nami: %v; computing in pure Go instead, several times slower\n", err)
		return open("go")
	}
	return backend, err
}

func open(config string) (compute.Backend, error) {
	name, _, _ := strings.Cut(config, ":")
	if !slices.Contains(compute.List(), name) {
		if name == "xla" {
			return nil, fmt.Errorf("the backend %q isn't in this program: XLA needs cgo, on Linux or macOS: build with CGO_ENABLED=1 and a C compiler, or use go", config)
		}
		hint := "use go"
		if xlaLinked {
			hint = "use go or xla (`go run ./kernel install` in nami's checkout installs XLA's CPU plugin)"
		}
		return nil, fmt.Errorf("the backend %q is unknown: %s", config, hint)
	}
	create := func() (compute.Backend, error) { return compute.NewWithConfig(config) }
	if name == "xla" {
		plugin, cpu, err := xlaConfig(config)
		if err != nil {
			return nil, err
		}
		create = func() (compute.Backend, error) { return newXLA(plugin, cpu) }
	}
	var backend compute.Backend
	err := Try(func() (err error) {
		backend, err = create()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("the backend %q can't be opened: %w", config, err)
	}
	if name == "go" {
		if !strings.Contains(config, "parallelism=") {
			unlimited(backend)
		}
		backend = &goBackend{Backend: backend}
	}
	return backend, nil
}

// xlaConfig names the plugin by its path, for then go-xla neither searches nor
// downloads, and says whether it is the CPU's.
func xlaConfig(config string) (named string, cpu bool, err error) {
	_, plugin, _ := strings.Cut(config, ":")
	plugin, options, _ := strings.Cut(plugin, ",")
	if plugin == "" || plugin == "cpu" {
		if plugin = PluginPath(); plugin == "" {
			return "", false, fmt.Errorf("the backend %q needs XLA's CPU plugin, and none is installed: `go run ./kernel install` in nami's checkout installs it, or set GOMLX_BACKEND=go", config)
		}
	}
	if strings.HasPrefix(plugin, "/") {
		if _, err := os.Stat(plugin); err != nil {
			return "", false, fmt.Errorf("the backend %q: the plugin isn't there: %w", config, err)
		}
	}
	if cpu = strings.Contains(filepath.Base(plugin), "cpu"); cpu {
		// go-xla doesn't know a path as the CPU's, whose buffers the host can share.
		options = "shared_buffers=true," + options
	}
	return strings.TrimSuffix(plugin+","+options, ","), cpu, nil
}

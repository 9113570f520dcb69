package environment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/nami-flow/go-nami/kernel/internal/part"
	"github.com/nami-flow/go-nami/kernel/internal/place"
	"github.com/nami-flow/go-nami/kernel/internal/process"
)

// FindPlugin is the path of XLA's plugin for the CPU: in the folders where go-xla
// looks, then in lib below the cache. Empty if there is none. The library looks in the
// same places in the same order.
func FindPlugin(cache string) string {
	var folders []string
	if paths, set := os.LookupEnv("PJRT_PLUGIN_LIBRARY_PATH"); set {
		folders = filepath.SplitList(paths)
	} else {
		if home, err := os.UserHomeDir(); err == nil {
			folders = append(folders, filepath.Join(home, ".local/lib/go-xla"))
		}
		folders = append(folders, "/usr/local/lib/go-xla")
	}
	for _, folder := range append(folders, filepath.Join(cache, "lib")) {
		if plugin := pluginIn(folder, libraryExtension()); plugin != "" {
			return plugin
		}
	}
	return ""
}

// pluginIn is the newest CPU plugin in a folder, empty if it holds none.
func pluginIn(folder, extension string) string {
	for _, pattern := range []string{"pjrt_c_api_cpu*_plugin.", "pjrt-plugin-cpu*.", "pjrt_plugin_cpu*."} {
		found, _ := filepath.Glob(filepath.Join(folder, pattern+extension)) // the pattern is well-formed
		found = slices.DeleteFunc(found, func(path string) bool { return !place.Exists(path) })
		if len(found) > 0 {
			return slices.Max(found)
		}
	}
	return ""
}

func libraryExtension() string {
	if runtime.GOOS == "darwin" {
		return "dylib"
	}
	return "so"
}

// makePlugin finds the plugin, or gets it: by go-xla's installer, else from a wheel.
func (e *Environment) makePlugin(ctx context.Context, o Options) error {
	if e.Plugin = FindPlugin(e.Cache); e.Plugin != "" {
		return nil
	}
	failure := filepath.Join(e.Cache, "no-plugin")
	if info, err := os.Stat(failure); err == nil && !o.Retry && time.Since(info.ModTime()) < patience {
		return errors.New("its plugin couldn't be had lately: `go run ./kernel install` tries again and says why")
	}
	var errs []error
	for _, source := range []struct {
		name string
		get  func() (part.Part, func() string, error)
	}{
		{"go-xla's installer", e.installedPlugin},
		{"the wheel of kernel/plugin.txt", e.wheelPlugin},
	} {
		p, library, err := source.get()
		if err == nil {
			err = p.Ensure(ctx, o.Log)
		}
		if err == nil {
			err = e.linkPlugin(library())
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil {
			return errors.Join(os.RemoveAll(failure))
		}
		fmt.Fprintf(o.Log, "%s can't provide it\n", source.name)
		errs = append(errs, fmt.Errorf("%s: %w", source.name, err))
	}
	return errors.Join(fmt.Errorf("its plugin can't be had: %w", errors.Join(errs...)), os.WriteFile(failure, nil, 0o644))
}

// installedPlugin is what go-xla's own installer gets, and where the library is in it.
// Where its host is out of reach it fails in seconds.
func (e *Environment) installedPlugin() (part.Part, func() string, error) {
	key, err := e.moduleKey(".")
	dir := filepath.Join(e.Cache, "plugin-goxla-"+key)
	library := func() string {
		if plugin := pluginIn(filepath.Join(dir, "go-xla"), "dylib"); plugin != "" {
			return plugin
		}
		return pluginIn(filepath.Join(dir, "go-xla"), "so")
	}
	return part.Part{
		Title: "getting XLA's plugin by go-xla's installer",
		Dir:   dir,
		Make: func(ctx context.Context, dir string) error {
			limited, cancel := context.WithTimeout(ctx, 10*time.Minute)
			defer cancel()
			_, err := process.Run(limited, e.Root, nil, e.Go.Path, "run", "./kernel/internal/goxla", dir)
			return err
		},
	}, library, err
}

// wheelPlugin is what the Python wheel carries that plugin.txt pins, and where the
// library is in it.
func (e *Environment) wheelPlugin() (part.Part, func() string, error) {
	requirements := filepath.Join(e.Root, "kernel/plugin.txt")
	text, err := os.ReadFile(requirements)
	const library = "fastatomstruct_xla_cpu/libpjrt_cpu.so"
	dir := filepath.Join(e.Cache, "plugin-wheel-"+place.Hash(string(text)))
	return part.Part{
		Title:   "getting XLA's plugin from a Python wheel",
		Dir:     dir,
		Outputs: []string{library},
		Make: func(ctx context.Context, dir string) error {
			python, err := e.pip(ctx, dir)
			if err != nil {
				return err
			}
			_, err = process.Run(ctx, "", nil, python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
				"--retries", "2", "--no-deps", "--only-binary", ":all:", "--require-hashes", "--target", dir, "-r", requirements)
			return err
		},
	}, func() string { return filepath.Join(dir, library) }, err
}

// pip is a Python that has pip: Jupyter's, the one on PATH, or a new one below dir.
func (e *Environment) pip(ctx context.Context, dir string) (python string, err error) {
	candidates := []string{e.Python}
	if python, err := exec.LookPath("python3"); err == nil {
		candidates = append(candidates, python)
	}
	for _, python := range candidates {
		if _, err := process.Run(ctx, "", nil, python, "-m", "pip", "--version"); err == nil {
			return python, nil
		}
	}
	own := filepath.Join(dir, "pip")
	_, err = process.Run(ctx, "", nil, candidates[len(candidates)-1], "-m", "venv", own)
	return filepath.Join(own, "bin/python3"), err
}

// linkPlugin makes lib/pjrt_c_api_cpu_plugin.so below the cache mean the library.
func (e *Environment) linkPlugin(library string) error {
	if library == "" || !place.Exists(library) {
		return errors.New("it left no plugin")
	}
	lib := filepath.Join(e.Cache, "lib")
	if err := os.MkdirAll(lib, 0o755); err != nil {
		return err
	}
	link := filepath.Join(lib, "pjrt_c_api_cpu_plugin."+libraryExtension())
	fresh := link + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	if err := os.Symlink(library, fresh); err != nil {
		return err
	}
	e.Plugin = link
	return os.Rename(fresh, link)
}

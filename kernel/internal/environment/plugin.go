package environment

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"
)

// plugin finds XLA's plugin for the CPU, or gets it. Without it there is pure Go.
func (m *maker) plugin(ctx context.Context) error {
	m.Backend = "go"
	if m.options.Backend == "go" {
		return nil
	}
	if m.Plugin = FindPlugin(m.Cache); m.Plugin == "" {
		start := time.Now()
		m.say("getting XLA's plugin …")
		if err := m.getPlugin(ctx); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			if m.options.Backend == "xla" {
				return fmt.Errorf("XLA's plugin can't be had: %w", err)
			}
			m.say("warning: XLA's plugin can't be had, so notebooks compute in pure Go, several times slower: %s", firstLine(err))
			return nil
		}
		m.say("getting XLA's plugin: done in %.0f s", time.Since(start).Seconds())
	}
	m.Backend = "xla"
	return nil
}

// FindPlugin is the path of XLA's plugin: in the folders where go-xla looks, then in lib
// below the cache; empty if there is none.
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
		for _, pattern := range []string{"pjrt_c_api_cpu*_plugin.", "pjrt-plugin-cpu*.", "pjrt_plugin_cpu*."} {
			found, _ := filepath.Glob(filepath.Join(folder, pattern+extension())) // the pattern is well-formed
			found = slices.DeleteFunc(found, func(path string) bool { return !exists(path) })
			if len(found) > 0 {
				return slices.Max(found)
			}
		}
	}
	return ""
}

func extension() string {
	if runtime.GOOS == "darwin" {
		return "dylib"
	}
	return "so"
}

// getPlugin asks go-xla's own installer, then takes the wheel that kernel/plugin.txt pins.
func (m *maker) getPlugin(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	_, errInstaller := command(limited, m.Root, nil, "go", "run", "./kernel/internal/goxla")
	if errInstaller == nil {
		if m.Plugin = FindPlugin(m.Cache); m.Plugin != "" {
			return nil
		}
		errInstaller = errors.New("go-xla's installer left no plugin where go-xla looks")
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	errWheel := m.pluginFromWheel(ctx)
	if errWheel == nil {
		return nil
	}
	return fmt.Errorf("the wheel: %w; go-xla's installer: %s", errWheel, firstLine(errInstaller))
}

// pluginFromWheel takes the plugin out of a Python wheel whose hash is pinned.
func (m *maker) pluginFromWheel(ctx context.Context) error {
	python, err := m.pip(ctx)
	if err != nil {
		return err
	}
	lib := filepath.Join(m.Cache, "lib")
	if err := os.MkdirAll(lib, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(lib, ".wheel-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	_, err = command(ctx, m.Root, nil, python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
		"--require-hashes", "-r", "kernel/plugin.txt", "-d", tmp)
	if err != nil {
		return err
	}
	wheels, _ := filepath.Glob(filepath.Join(tmp, "*.whl")) // the pattern is well-formed
	if len(wheels) != 1 {
		return fmt.Errorf("pip left %d wheels, expected 1", len(wheels))
	}
	library := filepath.Join(tmp, "library")
	if err := unzip(wheels[0], "libpjrt_cpu."+extension(), library); err != nil {
		return err
	}
	m.Plugin = filepath.Join(lib, "pjrt_c_api_cpu_plugin."+extension())
	return os.Rename(library, m.Plugin)
}

// pip is a Python that has pip: Jupyter's or the one on PATH.
func (m *maker) pip(ctx context.Context) (string, error) {
	candidates := []string{m.Python}
	if python, err := exec.LookPath("python3"); err == nil {
		candidates = append(candidates, python)
	}
	var errs []error
	for _, python := range candidates {
		_, err := command(ctx, m.Root, nil, python, "-m", "pip", "--version")
		if err == nil {
			return python, nil
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
}

// unzip writes the one file of that name, in whatever folder of the archive, to path.
func unzip(archive, name, path string) error {
	r, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer r.Close()
	for _, f := range r.File {
		if filepath.Base(f.Name) != name {
			continue
		}
		from, err := f.Open()
		if err != nil {
			return err
		}
		defer from.Close()
		to, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
		if err != nil {
			return err
		}
		_, err = io.Copy(to, from)
		return errors.Join(err, to.Sync(), to.Close())
	}
	return fmt.Errorf("%s holds no %s", filepath.Base(archive), name)
}

func firstLine(err error) string {
	text := err.Error()
	for i, r := range text {
		if r == '\n' {
			return text[:i]
		}
	}
	return text
}

package gomlx_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
)

// nowhere takes every folder away in which a plugin could be found, the machine's own
// excepted, and returns the folder where nami's plugin belongs.
func nowhere(t *testing.T) string {
	t.Helper()
	cache := t.TempDir()
	t.Setenv("GOMLX_BACKEND", "")
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", t.TempDir())
	t.Setenv("NAMI_CACHE", cache)
	lib := filepath.Join(cache, "lib")
	if err := os.Mkdir(lib, 0o755); err != nil {
		t.Fatal(err)
	}
	return lib
}

func open(t *testing.T, config string) string {
	t.Helper()
	backend, err := gomlx.Open(config)
	if err != nil {
		t.Fatalf("Open(%q): %v", config, err)
	}
	defer backend.Finalize()
	if n := backend.NumDevices(); n != 1 {
		t.Errorf("Open(%q) gives %d devices, expected the machine as one", config, n)
	}
	name, _, _ := strings.Cut(backend.Name(), " ") // "Go Backend"
	return strings.ToLower(name)
}

func TestOpenChooses(t *testing.T) {
	nowhere(t)
	if name := open(t, ""); name != "go" {
		t.Errorf("without a plugin, Open gives %q, expected go", name)
	}
	if name := open(t, "go"); name != "go" {
		t.Errorf("Open(go) gives %q", name)
	}
	t.Setenv("GOMLX_BACKEND", "abacus")
	if _, err := gomlx.Open(""); err == nil || !strings.Contains(err.Error(), "abacus") {
		t.Errorf("GOMLX_BACKEND=abacus: got %v, expected an error that names it", err)
	}
	if name := open(t, "go"); name != "go" {
		t.Errorf("what is asked for must win over GOMLX_BACKEND, got %q", name)
	}
}

func TestOpenXLA(t *testing.T) {
	gomlxtest.XLA(t)
	plugin := gomlx.PluginPath()
	for _, config := range []string{"xla", "xla:cpu", "xla:" + plugin} {
		if name := open(t, config); name != "xla" {
			t.Errorf("Open(%q) gives %q", config, name)
		}
	}
	lib := nowhere(t)
	if err := os.Symlink(plugin, filepath.Join(lib, "pjrt_c_api_cpu_plugin"+filepath.Ext(plugin))); err != nil {
		t.Fatal(err)
	}
	if name := open(t, ""); name != "xla" {
		t.Errorf("with a plugin in nami's cache, Open gives %q, expected xla", name)
	}
}

func TestOpenErrors(t *testing.T) {
	gomlxtest.XLA(t) // a program without XLA gives other errors
	nowhere(t)
	for config, want := range map[string][]string{
		"abacus":               {`"abacus"`, "use go or xla"},
		"xla":                  {"none is installed", "go run ./kernel install", "GOMLX_BACKEND=go"},
		"xla:/nowhere/pjrt.so": {"/nowhere/pjrt.so", "no such file"},
		"xla:cuda":             {"cuda", "not found"},
	} {
		backend, err := gomlx.Open(config)
		if err == nil {
			t.Errorf("Open(%q) gives %s, expected an error", config, backend.Name())
			continue
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("Open(%q): %v: expected it to say %q", config, err, part)
			}
		}
	}
}

// A plugin that is there but can't be loaded is an error if XLA was asked for, and
// pure Go otherwise.
func TestOpenBrokenPlugin(t *testing.T) {
	lib := nowhere(t)
	gomlxtest.Go(t)
	for _, extension := range []string{"so", "dylib"} { // whichever plugins have here
		if err := os.WriteFile(filepath.Join(lib, "pjrt_c_api_cpu_plugin."+extension), []byte("not a library"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if path := gomlx.PluginPath(); filepath.Dir(path) != lib {
		t.Fatalf("the plugin that isn't one is in %s, and PluginPath gives %q", lib, path)
	}
	if name := open(t, ""); name != "go" {
		t.Errorf("Open gives %q, expected go", name)
	}
	if _, err := gomlx.Open("xla"); err == nil || !strings.Contains(err.Error(), "xla") {
		t.Errorf("Open(xla): got %v, expected an error", err)
	}
}

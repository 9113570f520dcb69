package gomlx_test

import (
	"errors"
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

// A plugin that is there but can't be loaded is an error for who asked for XLA, and
// pure Go for who didn't.
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

func TestTry(t *testing.T) {
	plain := errors.New("plain")
	for name, c := range map[string]struct {
		f    func() error
		want string
	}{
		"error":       {func() error { return plain }, "plain"},
		"panic error": {func() error { panic(plain) }, "plain"},
		"string":      {func() error { panic("a string") }, "a string"},
		"number":      {func() error { panic(3) }, "3"},
		"runtime":     {func() error { none := os.Args[:0]; return errors.New(none[len(none)]) }, "runtime error: index out of range [0] with length 0"},
	} {
		err := gomlx.Try(c.f)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, expected %q and no more", name, err, c.want)
		}
		if strings.HasSuffix(name, "error") && !errors.Is(err, plain) {
			t.Errorf("%s: the error isn't the one that was raised", name)
		}
	}
	if err := gomlx.Try(func() error { return nil }); err != nil {
		t.Error(err)
	}
}

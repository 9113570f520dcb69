package environment

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nami-flow/go-nami/kernel/internal/place"
	"github.com/nami-flow/go-nami/kernel/internal/place/placetest"
)

// newEnvironment is one with a checkout and a cache of its own, and no programs but
// those of PATH's first folder, which is returned, and the system's shell.
func newEnvironment(t *testing.T) (e *Environment, bin string) {
	t.Helper()
	bin = t.TempDir()
	t.Setenv("PATH", bin)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", t.TempDir())
	t.Setenv("GOMLX_BACKEND", "")
	root := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum", "kernel/requirements.txt", "kernel/plugin.txt"} {
		placetest.Write(t, filepath.Join(root, name), name)
	}
	return &Environment{
		Root: root, Cache: t.TempDir(), Go: Toolchain{Path: filepath.Join(bin, "go"), Version: "go1.26.5", OS: "linux", Arch: "amd64", Cgo: "1"},
		Lab: filepath.Join(t.TempDir(), "lab"),
	}, bin
}

// python is a script that answers what we ask a Python with these versions.
func python(versions map[string]string) string {
	text, err := json.Marshal(versions)
	if err != nil {
		panic(err) // a map of strings always works
	}
	return `#!/bin/sh
case "$*" in
*sys.version_info*) echo /usr/bin/python3 3.12 ;;
*importlib.metadata*) echo '` + string(text) + `' ;;
*) echo "No module named $2" >&2; exit 1 ;;
esac
`
}

var good = map[string]string{"jupyterlab": "4.6.6", "nbclient": "0.11.0", "nbconvert": "7.17.2", "nbformat": "5.10.4"}

func TestLess(t *testing.T) {
	ordered := []string{"0.9", "0.10", "4", "4.4.1", "4.6.0rc1", "4.10", "5"}
	for i, a := range ordered {
		for j, b := range ordered {
			if less(a, b) != (i < j) {
				t.Errorf("less(%s, %s) = %v", a, b, less(a, b))
			}
		}
	}
	if less("4", "4.0") || less("4.0", "4") {
		t.Error("4 and 4.0 differ")
	}
}

func TestVersionProblem(t *testing.T) {
	if problem := versionProblem(good); problem != "" {
		t.Errorf("supported versions are a problem: %s", problem)
	}
	problem := versionProblem(map[string]string{"jupyterlab": "3.6.1", "nbclient": "1.0", "nbconvert": "7.16"})
	for _, expected := range []string{"jupyterlab is 3.6.1, expected 4.4 or later and below 5", "nbclient is 1.0", "nbformat is missing"} {
		if !strings.Contains(problem, expected) {
			t.Errorf("%q doesn't say %q", problem, expected)
		}
	}
	if strings.Contains(problem, "nbconvert") {
		t.Errorf("%q objects to the lowest version that is supported", problem)
	}
}

func TestFindJupyterOnPath(t *testing.T) {
	e, bin := newEnvironment(t)
	// As pipx does it: a link on PATH into an environment.
	home := t.TempDir()
	beside := placetest.Write(t, filepath.Join(home, "python3"), python(good))
	if err := os.Symlink(placetest.Write(t, filepath.Join(home, "jupyter-lab"), "#!/bin/sh\n"), filepath.Join(bin, "jupyter-lab")); err != nil {
		t.Fatal(err)
	}
	found, err := e.FindJupyter(t.Context())
	if err != nil || !sameFile(t, found, beside) {
		t.Errorf("FindJupyter = %q, %v; expected %s", found, err, beside)
	}

	old := map[string]string{"jupyterlab": "3.0", "nbclient": "0.11.0", "nbconvert": "7.17.2", "nbformat": "5.10.4"}
	placetest.Write(t, beside, python(old))
	placetest.Write(t, filepath.Join(bin, "python3"), python(nil))
	if found, err := e.FindJupyter(t.Context()); err != nil || found != "" {
		t.Errorf("FindJupyter = %q, %v with an old JupyterLab, expected none", found, err)
	}
}

func sameFile(t *testing.T, a, b string) bool {
	t.Helper()
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

func TestPrivateJupyterErrorsTeach(t *testing.T) {
	e, bin := newEnvironment(t)
	expect := func(expected ...string) {
		t.Helper()
		err := e.makeJupyter(t.Context(), io.Discard)
		for _, text := range expected {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("the error is %v; expected it to say %q", err, text)
			}
		}
		left, err := filepath.Glob(filepath.Join(e.Cache, "*"))
		if err != nil || len(left) > 0 {
			t.Errorf("it left %v, %v", left, err)
		}
	}
	expect("no python3 on PATH", "install Python 3.10")
	placetest.Write(t, filepath.Join(bin, "python3"), "#!/bin/sh\necho 3.8; exit 1\n")
	expect("Python 3.10 or later")
	placetest.Write(t, filepath.Join(bin, "python3"), python(nil)) // without venv
	expect("python3-venv")
	// With venv, but what it installs can't be downloaded.
	placetest.Write(t, filepath.Join(bin, "python3"), `#!/bin/sh
case "$*" in
*sys.version_info*) echo 3.12 ;;
*venv*) /bin/mkdir "$3/bin" && echo '#!/bin/sh
echo connection refused >&2; exit 1' > "$3/bin/python3" && /bin/chmod +x "$3/bin/python3" ;;
esac
`)
	expect("connection refused", "check the network")
}

func TestChooseBackend(t *testing.T) {
	for _, c := range []struct{ flag, env, expected string }{
		{"", "", ""}, {"go", "xla", "go"}, {"xla", "", "xla"}, {"", "go", "go"}, {"", "xla:cuda", "xla:cuda"},
	} {
		t.Setenv("GOMLX_BACKEND", c.env)
		if got, err := chooseBackend(c.flag); err != nil || got != c.expected {
			t.Errorf("chooseBackend(%q) with GOMLX_BACKEND=%q is %q, %v; expected %q", c.flag, c.env, got, err, c.expected)
		}
	}
	if _, err := chooseBackend("cuda"); err == nil || !strings.Contains(err.Error(), "must be go or xla") {
		t.Errorf("--backend cuda: %v", err)
	}
	t.Setenv("GOMLX_BACKEND", "tensorflow")
	if _, err := chooseBackend(""); err == nil || !strings.Contains(err.Error(), "GOMLX_BACKEND") {
		t.Errorf("GOMLX_BACKEND=tensorflow: %v", err)
	}
}

// TestBackendWithoutPlugin has go-xla's installer and the wheel fail.
func TestBackendWithoutPlugin(t *testing.T) {
	e, bin := newEnvironment(t)
	calls := filepath.Join(t.TempDir(), "calls")
	// This go runs the probe, and can't run the installer.
	placetest.Write(t, filepath.Join(bin, "go"), `#!/bin/sh
case "$*" in
*internal/probe) echo {} ;;
*internal/goxla*) echo goxla >> `+calls+`; echo no route to host >&2; exit 1 ;;
esac
`)
	e.Python = placetest.Write(t, filepath.Join(bin, "python3"), "#!/bin/sh\necho no such index >&2; exit 1\n")
	var log bytes.Buffer
	o := Options{Log: &log, Retry: true}
	if err := e.makeBackend(t.Context(), "", o); err != nil {
		t.Fatal(err)
	}
	if e.Backend != "go" || e.Plugin != "" {
		t.Errorf("the backend is %q with the plugin %q, expected pure Go", e.Backend, e.Plugin)
	}
	warnings := 0
	for line := range strings.Lines(log.String()) {
		if strings.HasPrefix(line, "warning: ") {
			warnings++
			if !strings.Contains(line, "no route to host") || !strings.Contains(line, "pure Go") {
				t.Errorf("the warning is %q; expected the cause, and what follows", line)
			}
		}
	}
	if warnings != 1 {
		t.Errorf("there are %d warnings, expected 1:\n%s", warnings, log.String())
	}
	if left, err := filepath.Glob(filepath.Join(e.Cache, "plugin-*")); err != nil || len(left) > 0 {
		t.Errorf("half a plugin is left: %v, %v", left, err)
	}

	// A run soon after doesn't wait for the network again.
	tried := count(t, calls)
	if err := e.makeBackend(t.Context(), "", Options{Log: io.Discard}); err != nil {
		t.Fatal(err)
	}
	if count(t, calls) != tried {
		t.Error("the installer was tried again at once")
	}
	long := time.Now().Add(-2 * patience)
	if err := os.Chtimes(filepath.Join(e.Cache, "no-plugin"), long, long); err != nil {
		t.Fatal(err)
	}
	if err := e.makeBackend(t.Context(), "", Options{Log: io.Discard}); err != nil {
		t.Fatal(err)
	}
	if count(t, calls) != tried+1 {
		t.Error("long after, the installer wasn't tried again")
	}
	err := e.makeBackend(t.Context(), "xla", Options{Log: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "no route to host") || !strings.Contains(err.Error(), "no such index") {
		t.Errorf("--backend xla gives %v; expected why neither way works", err)
	}
	if count(t, calls) != tried+2 {
		t.Error("who insists on XLA has to wait a day")
	}

	e.Go.Cgo = "0"
	if err := e.makeBackend(t.Context(), "xla", o); err == nil || !strings.Contains(err.Error(), "C compiler") {
		t.Errorf("--backend xla without cgo gives %v", err)
	}
}

// count is how many lines a file has.
func count(t *testing.T, path string) int {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), "\n")
}

func TestFindPlugin(t *testing.T) {
	e, _ := newEnvironment(t)
	if found := FindPlugin(e.Cache); found != "" {
		t.Fatalf("FindPlugin = %q where there is none", found)
	}
	extension := libraryExtension()
	library := placetest.Write(t, filepath.Join(t.TempDir(), "library"), "")
	if err := e.linkPlugin(library); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(e.Cache, "lib", "pjrt_c_api_cpu_plugin."+extension)
	if found := FindPlugin(e.Cache); found != own {
		t.Errorf("FindPlugin = %q, expected the cache's %s", found, own)
	}
	if err := os.Remove(library); err != nil {
		t.Fatal(err)
	}
	if found := FindPlugin(e.Cache); found != "" {
		t.Errorf("FindPlugin = %q, whose target is gone", found)
	}
	if err := e.linkPlugin(placetest.Write(t, library, "")); err != nil || FindPlugin(e.Cache) != own {
		t.Errorf("a broken link isn't mended: %v", err)
	}

	first := os.Getenv("PJRT_PLUGIN_LIBRARY_PATH")
	placetest.Write(t, filepath.Join(first, "pjrt_c_api_cuda_plugin."+extension), "")
	placetest.Write(t, filepath.Join(first, "pjrt_c_api_cpu_v0.106_plugin."+extension), "")
	newest := placetest.Write(t, filepath.Join(first, "pjrt_c_api_cpu_v0.114_plugin."+extension), "")
	if found := FindPlugin(e.Cache); found != newest {
		t.Errorf("FindPlugin = %q, expected the newest of PJRT_PLUGIN_LIBRARY_PATH, %s", found, newest)
	}
	if err := os.Unsetenv("PJRT_PLUGIN_LIBRARY_PATH"); err != nil { // t.Setenv restores it
		t.Fatal(err)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	local := placetest.Write(t, filepath.Join(home, ".local/lib/go-xla/pjrt_c_api_cpu_v0.114.0_plugin."+extension), "")
	if found := FindPlugin(e.Cache); found != local {
		t.Errorf("FindPlugin = %q, expected go-xla's default %s", found, local)
	}
}

func TestKeysFollowContent(t *testing.T) {
	e, _ := newEnvironment(t)
	keys := map[string]bool{}
	note := func() {
		t.Helper()
		key, err := e.moduleKey(".")
		if err != nil {
			t.Fatal(err)
		}
		keys[key] = true
	}
	note()
	note() // the same
	placetest.Write(t, filepath.Join(e.Root, "go.sum"), "changed")
	note()
	e.Go.Version = "go1.26.6"
	note()
	if len(keys) != 3 {
		t.Errorf("there are %d keys, expected 3", len(keys))
	}
	if err := os.Remove(filepath.Join(e.Root, "go.sum")); err != nil {
		t.Fatal(err)
	}
	if _, err := e.moduleKey("."); err == nil || !strings.Contains(err.Error(), "git restore") {
		t.Errorf("without go.sum: %v", err)
	}
}

func TestSpec(t *testing.T) {
	e, _ := newEnvironment(t)
	e.Tools, e.Backend, e.LinkFlags = filepath.Join(e.Cache, "tools-1"), "go", quickLink
	spec := e.spec("-logtostderr=false")
	for _, arg := range []string{"-go_work=" + e.Root, "{connection_file}", "-raw_error", "-logtostderr=false", filepath.Join(e.Tools, "front", "relay")} {
		if !slices.Contains(spec.Argv, arg) {
			t.Errorf("argv %q lacks %s", spec.Argv, arg)
		}
	}
	for name, expected := range map[string]string{
		"GOPROXY": "off", "GOMLX_NO_AUTO_INSTALL": "1", "GOMLX_BACKEND": "go", "GOEXPERIMENT": "simd", "GOWORK": "", "NAMI_GO": e.Go.Path,
		"GOFLAGS": "'-ldflags=-s -linkmode=internal'", "PATH": e.Tools + "/front:" + e.Tools + ":" + filepath.Dir(e.Go.Path) + ":${PATH}",
	} {
		if got, ok := spec.Env[name]; !ok || got != expected {
			t.Errorf("%s is %q, %v; expected %q", name, got, ok, expected)
		}
	}
	if _, ok := spec.Env["PJRT_PLUGIN_LIBRARY_PATH"]; ok {
		t.Error("the path of a plugin is set where there is none")
	}
	e.Backend, e.Plugin = "xla", filepath.Join(e.Cache, "lib/pjrt_c_api_cpu_plugin.so")
	if env := e.spec().Env; env["PJRT_PLUGIN_LIBRARY_PATH"] != filepath.Join(e.Cache, "lib") || env["GOEXPERIMENT"] != "" {
		t.Errorf("with XLA the environment is %v", env)
	}
}

// gopls reads what cells import once, in a workspace like a cell's, into nami's cache.
func TestWarmGopls(t *testing.T) {
	e, _ := newEnvironment(t)
	e.Tools = t.TempDir()
	calls := filepath.Join(t.TempDir(), "calls")
	placetest.Write(t, filepath.Join(e.Tools, "gopls"), "#!/bin/sh\necho $GOPLSCACHE $GOPROXY $* >> "+calls+"\nread -r line < go.work && echo $line >> "+calls+"\ntest -f main.go && test -f go.mod\n")
	for range 2 {
		if err := e.WarmGopls(t.Context(), io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(calls)
	if want := filepath.Join(e.Cache, "gopls") + " off check main.go\ngo 1.26.5\n"; err != nil || string(text) != want {
		t.Errorf("gopls was called so: %q, %v; expected %q", text, err, want)
	}
	if got := e.spec().Env["GOPLSCACHE"]; got != filepath.Join(e.Cache, "gopls") {
		t.Errorf("the kernel's GOPLSCACHE is %s", got)
	}
	if again, err := filepath.Glob(filepath.Join(e.Cache, "gopls/read-*/go.work")); err != nil || len(again) != 1 {
		t.Errorf("the workspaces are %v, %v", again, err)
	}
	placetest.Write(t, filepath.Join(e.Tools, "gopls"), "#!/bin/sh\necho no such package >&2; exit 1\n")
	e.Root = t.TempDir()
	placetest.Write(t, filepath.Join(e.Root, "go.mod"), "")
	placetest.Write(t, filepath.Join(e.Root, "go.sum"), "")
	if err := e.WarmGopls(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), "no such package") {
		t.Errorf("where gopls fails: %v", err)
	}
}

func TestWriteSpecOnlyIfItChanged(t *testing.T) {
	e, _ := newEnvironment(t)
	if err := writeSpec(e.Lab, e.spec()); err != nil {
		t.Fatal(err)
	}
	if spec, err := ReadSpec(e.Lab); err != nil || spec.DisplayName != "Go (nami)" || spec.Language != "go" {
		t.Fatalf("ReadSpec = %+v, %v", spec, err)
	}
	path := filepath.Join(SpecFolder(e.Lab), "kernel.json")
	long := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := os.Chtimes(path, long, long); err != nil {
		t.Fatal(err)
	}
	if err := writeSpec(e.Lab, e.spec()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || !info.ModTime().Equal(long) {
		t.Errorf("the same text was written again: %v, %v", info.ModTime(), err)
	}
	e.Backend = "xla"
	if err := writeSpec(e.Lab, e.spec()); err != nil {
		t.Fatal(err)
	}
	if spec, err := ReadSpec(e.Lab); err != nil || spec.Env["GOMLX_BACKEND"] != "xla" {
		t.Errorf("a change isn't written: %+v, %v", spec, err)
	}
}

func TestCheckoutsHaveSpecsOfTheirOwn(t *testing.T) {
	goBinary, err := findGo(t.Context(), ".")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NAMI_CACHE", t.TempDir())
	labs := map[string]bool{}
	for range 2 {
		root := t.TempDir()
		placetest.Write(t, filepath.Join(root, "go.mod"), "module github.com/nami-flow/go-nami\n")
		t.Chdir(root)
		e, err := Locate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e.Go != goBinary {
			t.Errorf("Go is %+v, expected %+v", e.Go, goBinary)
		}
		labs[e.Lab] = true
	}
	if len(labs) != 2 {
		t.Errorf("two checkouts have these folders of specifications: %v", labs)
	}
}

func TestInstallForUser(t *testing.T) {
	e, _ := newEnvironment(t)
	data := t.TempDir()
	t.Setenv("JUPYTER_DATA_DIR", data)
	folder, err := e.InstallForUser(t.Context())
	if err != nil || folder != filepath.Join(data, "kernels/nami") || !place.Exists(filepath.Join(folder, "kernel.json")) {
		t.Errorf("InstallForUser = %q, %v", folder, err)
	}
	if c := e.examineUserKernel(t.Context()); c.Cure != "" {
		t.Errorf("doctor says %+v of it", c)
	}
	e.Root = "/another/checkout"
	if c := e.examineUserKernel(t.Context()); !strings.Contains(c.Found, "another checkout") {
		t.Errorf("doctor says %+v of another checkout's", c)
	}
}

// TestModulesOffline lets the build decide whether what can't be downloaded is needed.
func TestModulesOffline(t *testing.T) {
	e, bin := newEnvironment(t)
	placetest.Write(t, filepath.Join(bin, "go"), `#!/bin/sh
case "$1" in
mod) echo no such host >&2; exit 1 ;;
list) echo example.org/a ;;
esac
`)
	var log bytes.Buffer
	if err := errors.Join(e.makeModules(t.Context(), &log), e.warm(t.Context(), &log)); err != nil {
		t.Fatal(err)
	}
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "no such host") {
		t.Errorf("the log is %q, expected one warning", got)
	}
	placetest.Write(t, filepath.Join(bin, "go"), "#!/bin/sh\necho missing module >&2; exit 1\n")
	if err := e.warm(t.Context(), &log); err == nil || !strings.Contains(err.Error(), "missing module") {
		t.Errorf("a build that fails gives %v", err)
	}
}

func TestMissingGo(t *testing.T) {
	e, _ := newEnvironment(t)
	if _, err := findGo(t.Context(), e.Root); err == nil || !strings.Contains(err.Error(), "install Go 1.26") {
		t.Errorf("without go on PATH: %v", err)
	}
}

func TestUnwritableCache(t *testing.T) {
	file := placetest.Write(t, filepath.Join(t.TempDir(), "file"), "")
	t.Setenv("NAMI_CACHE", filepath.Join(file, "cache"))
	if _, err := Make(t.Context(), Options{Log: io.Discard}); err == nil || !strings.Contains(err.Error(), "set NAMI_CACHE") {
		t.Errorf("the error is %v, expected one that names NAMI_CACHE", err)
	}
}

// TestExamineNothing looks at an empty cache: everything is missing, and nothing made.
func TestExamineNothing(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "none")
	t.Setenv("NAMI_CACHE", cache)
	checks, err := Examine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"GoNB", "goimports", "gopls", "kernel"} {
		i := slices.IndexFunc(checks, func(c Check) bool { return c.Part == part })
		if i < 0 || checks[i].Cure == "" || !checks[i].Needed {
			t.Errorf("%s isn't reported as missing: %+v", part, checks)
		}
	}
	if place.Exists(cache) {
		t.Error("examining made the cache folder")
	}
}

// JupyterLab's defaults come before the user's own configuration folders, not in place of
// them.
func TestLabEnv(t *testing.T) {
	cache := t.TempDir()
	env := &Environment{Lab: filepath.Join(cache, "checkouts", "x", "lab")}
	t.Setenv("JUPYTER_CONFIG_PATH", "/users/own")
	settings, err := env.LabEnv()
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(cache, "checkouts", "x", "config")
	if last := settings[len(settings)-1]; last != "JUPYTER_CONFIG_PATH="+config+string(filepath.ListSeparator)+"/users/own" {
		t.Errorf("the last setting is %s", last)
	}
	text, err := os.ReadFile(filepath.Join(config, "labconfig/default_setting_overrides.json"))
	if err != nil || !strings.Contains(string(text), `"providerTimeout": 30000`) {
		t.Errorf("the defaults are %s, %v", text, err)
	}
}

package environment

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/nami-flow/go-nami/kernel/internal/process"

	"github.com/google/renameio/v2"
)

// KernelName is how Jupyter and notebooks name the kernel.
const (
	KernelName    = "nami"
	KernelDisplay = "Go (nami)"
)

// Spec is a kernel.json.
type Spec struct {
	Argv          []string          `json:"argv"`
	DisplayName   string            `json:"display_name"`
	Language      string            `json:"language"`
	InterruptMode string            `json:"interrupt_mode"`
	Env           map[string]string `json:"env"`
}

// spec is the kernel's specification, with further arguments for GoNB. With -raw_error it
// says what is wrong in an error, of which the relay makes one line; without, it would be in
// an HTML output, beside an error that says which command failed.
func (e *Environment) spec(args ...string) Spec {
	list := string(filepath.ListSeparator)
	env := map[string]string{
		"PATH":                  strings.Join([]string{filepath.Join(e.Tools, front), e.Tools, filepath.Dir(e.Go.Path), "${PATH}"}, list),
		"GOMLX_BACKEND":         e.Backend,
		"GOMLX_NO_AUTO_INSTALL": "1",
		"NAMI_CACHE":            e.Cache,
		"NAMI_GO":               e.Go.Path,
		"GOPLSCACHE":            e.goplsCache(),
		// A cell sees the versions of go.mod, and never asks for newer ones.
		"GOPROXY": "off",
		"GOFLAGS": "'-ldflags=" + e.LinkFlags + "'",
		// The user's settings don't reach the cells' workspace.
		"GOWORK":       "",
		"GOEXPERIMENT": e.experiment(),
		"CGO_ENABLED":  e.Go.Cgo,
	}
	if e.Plugin != "" {
		env["PJRT_PLUGIN_LIBRARY_PATH"] = filepath.Dir(e.Plugin)
	}
	return Spec{
		Argv:        append([]string{filepath.Join(e.Tools, front, "relay"), "--kernel", "{connection_file}", "-go_work=" + e.Root, "-raw_error"}, args...),
		DisplayName: KernelDisplay, Language: "go", InterruptMode: "message", Env: env,
	}
}

// writeSpecs writes the kernel's specification, for JupyterLab and for scripted runs.
func (e *Environment) writeSpecs() (err error) {
	if e.LinkFlags, err = e.linkFlags(); err != nil {
		return err
	}
	if err := writeSpec(e.Lab, e.spec()); err != nil {
		return err
	}
	// Runs on several backends can overlap. There is no log on standard error.
	e.Scripted = filepath.Join(filepath.Dir(e.Lab), "scripted-"+url.PathEscape(e.Backend))
	return writeSpec(e.Scripted, e.spec("-logtostderr=false", "-stderrthreshold=FATAL"))
}

// SpecFolder is where the kernel is below a Jupyter data folder.
func SpecFolder(data string) string { return filepath.Join(data, "kernels", KernelName) }

// ReadSpec reads the kernel's specification in a Jupyter data folder.
func ReadSpec(data string) (s Spec, err error) {
	text, err := os.ReadFile(filepath.Join(SpecFolder(data), "kernel.json"))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

// writeSpec puts a specification into a Jupyter data folder, if it isn't there already.
func writeSpec(data string, spec Spec) error {
	text, err := json.MarshalIndent(spec, "", " ")
	if err != nil {
		return err
	}
	return writeIfChanged(filepath.Join(SpecFolder(data), "kernel.json"), text)
}

// writeIfChanged writes a file whole, unless it holds the text already.
func writeIfChanged(path string, text []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(path, text, 0o644)
}

// InstallForUser lets the user's own Jupyter list the kernel, for this checkout, and
// returns where.
func (e *Environment) InstallForUser(ctx context.Context) (string, error) {
	data, err := e.userData(ctx)
	if err != nil {
		return "", err
	}
	return SpecFolder(data), writeSpec(data, e.spec())
}

// userData is the user's Jupyter data folder.
func (e *Environment) userData(ctx context.Context) (string, error) {
	if data := os.Getenv("JUPYTER_DATA_DIR"); data != "" {
		return data, nil
	}
	out, err := process.Run(ctx, "", nil, e.Python, "-W", "ignore", "-c", "import jupyter_core.paths as p; print(p.jupyter_data_dir())")
	return strings.TrimSpace(out), err
}

// JupyterEnv is the environment of a Jupyter that finds the kernel of a data folder
// first.
func (e *Environment) JupyterEnv(data string) []string {
	path := data
	if more := os.Getenv("JUPYTER_PATH"); more != "" {
		path += string(filepath.ListSeparator) + more
	}
	return append(os.Environ(), "JUPYTER_PATH="+path)
}

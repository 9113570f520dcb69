package environment

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/google/renameio/v2/maybe"
)

// modules fills Go's module cache, as cells run without a network, and its build cache,
// as the first cell would else take minutes.
func (m *maker) modules(ctx context.Context) error {
	key, err := m.moduleKey(ctx, ".")
	if err != nil {
		return err
	}
	// Whether the linker can do without the C compiler's depends on the installation.
	_, err = m.folder("built", key+m.Root+m.Backend, "downloading modules and building packages", nil, func(dir string) error {
		if _, err := command(ctx, m.Root, nil, "go", "mod", "download"); err != nil {
			return err
		}
		env := []string{"GOEXPERIMENT=" + m.experiment(), "GOFLAGS="}
		if _, err := command(ctx, m.Root, env, "go", "build", "./..."); err != nil {
			return err
		}
		_, err := command(ctx, m.Root, env, "go", "build", "-ldflags="+internalLink, "-o", filepath.Join(dir, "probe"), "./kernel/internal/probe")
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			_, err = command(ctx, m.Root, env, "go", "build", "-ldflags="+externalLink, "-o", filepath.Join(dir, "probe"), "./kernel/internal/probe")
			return errors.Join(err, os.WriteFile(filepath.Join(dir, "external"), nil, 0o644))
		}
		return nil
	})
	return err
}

// Linking is most of what a cell costs, and half of that is debugging information and
// the C linker.
const (
	externalLink = "-w"
	internalLink = "-w -linkmode=internal"
)

// experiment turns on the pure Go backend's vector instructions, where it is in use.
func (m *maker) experiment() string {
	if m.Backend == "go" && runtime.GOARCH == "amd64" {
		return "simd"
	}
	return ""
}

// SpecsOf is the Jupyter data folder with the kernel of the checkout in root.
func SpecsOf(cache, root string) string {
	return filepath.Join(cache, "checkouts", digest(root)[:12], "lab")
}

// specs writes the kernel's specification, for JupyterLab and for scripted runs.
func (m *maker) specs(ctx context.Context) error {
	m.Specs = SpecsOf(m.Cache, m.Root)
	m.RunSpec = filepath.Join(filepath.Dir(m.Specs), "run-"+m.Backend) // runs on both may overlap
	text, err := m.Spec(ctx)
	if err != nil {
		return err
	}
	if err := writeSpec(m.Specs, text); err != nil {
		return err
	}
	// The compiler's words as plain text, and no log on standard error.
	text, err = m.Spec(ctx, "-raw_error", "-logtostderr=false", "-stderrthreshold=FATAL")
	if err != nil {
		return err
	}
	return writeSpec(m.RunSpec, text)
}

// Spec is a kernel.json, with further arguments for GoNB.
func (m *maker) Spec(ctx context.Context, args ...string) ([]byte, error) {
	goBinary, err := exec.LookPath("go")
	if err != nil {
		return nil, err
	}
	key, err := m.moduleKey(ctx, ".")
	if err != nil {
		return nil, err
	}
	link := internalLink
	if exists(filepath.Join(m.Cache, "built-"+digest(key + m.Root + m.Backend)[:12], "external")) {
		link = externalLink
	}
	env := map[string]string{
		"PATH":                  m.Tools + string(filepath.ListSeparator) + filepath.Dir(goBinary) + string(filepath.ListSeparator) + "${PATH}",
		"GOMLX_BACKEND":         m.Backend,
		"GOMLX_NO_AUTO_INSTALL": "1",
		// A cell sees the versions of go.mod, and never asks for newer ones.
		"GOPROXY":      "off",
		"GOFLAGS":      "'-ldflags=" + link + "'",
		"GOEXPERIMENT": m.experiment(),
	}
	if m.Plugin != "" {
		env["PJRT_PLUGIN_LIBRARY_PATH"] = filepath.Dir(m.Plugin)
	}
	argv := append([]string{filepath.Join(m.Tools, "gonb"), "--kernel", "{connection_file}", "-go_work=" + m.Root}, args...)
	return json.MarshalIndent(map[string]any{
		"argv": argv, "display_name": "Go (nami)", "language": "go", "interrupt_mode": "message", "env": env,
	}, "", " ")
}

// writeSpec puts a specification into a Jupyter data folder, if it isn't there already.
func writeSpec(data string, text []byte) error {
	dir := filepath.Join(data, "kernels", "nami")
	path := filepath.Join(dir, "kernel.json")
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return maybe.WriteFile(path, text, 0o644)
}

// InstallForUser lets the user's own Jupyter find the kernel, of this checkout.
func (e *Environment) InstallForUser() (string, error) {
	data := os.Getenv("JUPYTER_DATA_DIR")
	if data == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		data = filepath.Join(home, ".local/share/jupyter")
		if runtime.GOOS == "darwin" {
			data = filepath.Join(home, "Library/Jupyter")
		}
	}
	text, err := os.ReadFile(filepath.Join(e.Specs, "kernels/nami/kernel.json"))
	if err != nil {
		return "", err
	}
	return filepath.Join(data, "kernels/nami"), writeSpec(data, text)
}

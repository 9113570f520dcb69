package environment

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// labDefaults are JupyterLab's settings where the user hasn't chosen: GoNB asks gopls for a
// completion 12 to 24 seconds after the kernel's start at the earliest, and JupyterLab drops an
// answer after one second.
var labDefaults = map[string]any{
	"@jupyterlab/completer-extension:manager": map[string]any{"providerTimeout": 30_000}, // ms
}

// LabEnv is the environment of a JupyterLab with the kernel of this checkout, and with
// defaults that suit it.
func (e *Environment) LabEnv() ([]string, error) {
	text, err := json.MarshalIndent(labDefaults, "", " ")
	if err != nil {
		return nil, err
	}
	config := filepath.Join(filepath.Dir(e.Lab), "config")
	if err := writeIfChanged(filepath.Join(config, "labconfig", "default_setting_overrides.json"), text); err != nil {
		return nil, err
	}
	if more := os.Getenv("JUPYTER_CONFIG_PATH"); more != "" {
		config += string(filepath.ListSeparator) + more
	}
	return append(e.JupyterEnv(e.Lab), "JUPYTER_CONFIG_PATH="+config), nil
}

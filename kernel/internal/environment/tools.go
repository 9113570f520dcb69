package environment

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// tools builds GoNB, goimports and gopls as kernel/tools pins them.
func (m *maker) tools(ctx context.Context) error {
	if _, err := exec.LookPath("go"); err != nil {
		return fmt.Errorf("there is no go on PATH: install Go 1.26 or newer")
	}
	key, err := m.moduleKey(ctx, "kernel/tools")
	if err != nil {
		return err
	}
	programs := []string{"gonb", "goimports", "gopls"}
	m.Tools, err = m.folder("tools", key, "building GoNB, goimports and gopls", programs, func(dir string) error {
		_, err := command(ctx, filepath.Join(m.Root, "kernel/tools"), []string{"GOBIN=" + dir, "GOFLAGS=", "GOWORK=off", "GOEXPERIMENT="},
			"go", "install", "tool")
		return err
	})
	return err
}

// moduleKey changes with a module's requirements and with Go.
func (m *maker) moduleKey(ctx context.Context, dir string) (string, error) {
	version, err := command(ctx, m.Root, nil, "go", "env", "GOVERSION", "GOOS", "GOARCH")
	if err != nil {
		return "", err
	}
	key := []string{version}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(m.Root, dir, name))
		if err != nil {
			return "", err
		}
		key = append(key, string(text))
	}
	return strings.Join(key, "\x00"), nil
}

package environment

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/nami-flow/go-nami/kernel/internal/place"
	"github.com/nami-flow/go-nami/kernel/internal/process"
)

// Toolchain is the Go that builds everything, cells too.
type Toolchain struct {
	Path    string `json:"-"` // of the go command
	Version string `json:"GOVERSION"`
	OS      string `json:"GOOS"`
	Arch    string `json:"GOARCH"`
	Cgo     string `json:"CGO_ENABLED"`
}

// HasCgo says whether programs can be linked with C, which XLA needs.
func (t Toolchain) HasCgo() bool { return t.Cgo == "1" }

func findGo(ctx context.Context, root string) (t Toolchain, err error) {
	// In a notebook's shell line the go on PATH is ours, which stands before the real one.
	if t.Path, err = exec.LookPath(cmp.Or(os.Getenv("NAMI_GO"), "go")); err != nil {
		return t, fmt.Errorf("there is no go on PATH: install Go 1.26 or later from https://go.dev/dl and put its bin folder on PATH")
	}
	if t.Path, err = filepath.Abs(t.Path); err != nil {
		return t, err
	}
	out, err := process.Run(ctx, root, nil, t.Path, "env", "-json", "GOVERSION", "GOOS", "GOARCH", "CGO_ENABLED")
	if err != nil {
		return t, err
	}
	return t, json.Unmarshal([]byte(out), &t)
}

// moduleKey changes with Go and with what the module in a folder of the checkout
// requires.
func (e *Environment) moduleKey(folder string) (string, error) {
	texts := []string{e.Go.Version, e.Go.OS, e.Go.Arch}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(e.Root, folder, name))
		if err != nil {
			return "", fmt.Errorf("the checkout is incomplete: %w: `git restore` it", err)
		}
		texts = append(texts, string(text))
	}
	return place.Hash(texts...), nil
}

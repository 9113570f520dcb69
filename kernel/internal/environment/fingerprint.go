package environment

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/kernel/internal/place"
	"github.com/nami-flow/go-nami/kernel/internal/process"
)

// Fingerprint changes with all that the result of a notebook depends on besides the
// notebook: the packages of the checkout that it can import, the modules that they
// require, Go, the kernel's programs, Jupyter, the backend, and the variables that nami,
// GoMLX and XLA read. It doesn't depend on where the checkout is.
func (e *Environment) Fingerprint(ctx context.Context) (string, error) {
	module, err := e.moduleKey(".")
	if err != nil {
		return "", err
	}
	sources, err := e.sources(ctx)
	if err != nil {
		return "", err
	}
	jupyter, _, err := JupyterVersions(ctx, e.Python)
	if err != nil {
		return "", err
	}
	texts := []string{module, filepath.Base(e.Tools), fmt.Sprint(jupyter), e.Backend, e.experiment(), e.Go.Cgo}
	if e.Plugin != "" {
		file, err := filepath.EvalSymlinks(e.Plugin)
		if err != nil {
			return "", err
		}
		info, err := os.Stat(file)
		if err != nil {
			return "", err
		}
		texts = append(texts, fmt.Sprint(filepath.Base(file), info.Size()))
	}
	for _, file := range sources {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		name, err := filepath.Rel(e.Root, file)
		if err != nil {
			return "", err
		}
		texts = append(texts, name, string(text))
	}
	return place.Hash(append(texts, settings()...)...), nil
}

// settings are the environment variables that can change what a notebook computes.
func settings() (found []string) {
	for _, setting := range os.Environ() {
		name, _, _ := strings.Cut(setting, "=")
		switch {
		case name == "NAMI_CACHE", name == "NAMI_STATE", name == "GOMLX_BACKEND", name == "GOMLX_NO_AUTO_INSTALL": // not seen by cells as they are
		case strings.HasPrefix(name, "NAMI_"), strings.HasPrefix(name, "GOMLX_"), strings.HasPrefix(name, "XLA_"):
			found = append(found, setting)
		}
	}
	slices.Sort(found)
	return found
}

// importable selects, in a template of go list, the packages that a notebook can import.
const importable = `{{if and (ne .Name "main") .GoFiles}}`

// sources are the files that the checkout's importable packages are built from.
func (e *Environment) sources(ctx context.Context) (files []string, err error) {
	const each = `{{range .%s}}{{$folder}}/{{.}}{{"\n"}}{{end}}`
	format := importable + `{{$folder := .Dir}}`
	for _, kind := range []string{"GoFiles", "CgoFiles", "CFiles", "HFiles", "SFiles", "EmbedFiles"} {
		format += fmt.Sprintf(each, kind)
	}
	out, err := process.Run(ctx, e.Root, e.buildSettings(e.experiment()), e.Go.Path, "list", "-f", format+"{{end}}", "./...")
	if err != nil {
		return nil, err
	}
	for file := range strings.Lines(out) {
		if file = strings.TrimSpace(file); file != "" && e.open(file) {
			files = append(files, file)
		}
	}
	return files, nil
}

// open says whether a path below the root, or a package, is of those that notebooks
// import.
func (e *Environment) open(path string) bool {
	path = strings.TrimPrefix(path, e.Root)
	return !strings.Contains(path, "/kernel/") && !strings.Contains(path, "/tests/")
}

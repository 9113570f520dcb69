package environment

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/kernel/internal/part"
	"github.com/nami-flow/go-nami/kernel/internal/place"
	"github.com/nami-flow/go-nami/kernel/internal/process"
)

// Programs are what the kernel runs: GoNB is the kernel itself, goimports completes a
// cell's imports, gopls answers completion and inspection.
var Programs = []string{"gonb", "goimports", "gopls"}

// front is the folder, below that of the programs, of our own, which stand before others.
const front = "front"

// fronts are our own programs, and their packages in kernel/internal: one stands before GoNB,
// and those that GoNB runs before what they are called as.
var fronts = []struct{ name, source string }{{"relay", "relay"}, {"gopls", "gopls"}, {"go", "build"}}

// tools is the folder of the programs: those that the module in kernel/tools pins, and our
// own, in kernel/internal.
func (e *Environment) tools() (part.Part, error) {
	key, err := e.moduleKey("kernel/tools")
	if err != nil {
		return part.Part{}, err
	}
	texts := []string{key}
	outputs := slices.Clone(Programs)
	for _, f := range fronts {
		outputs = append(outputs, front+"/"+f.name)
		var sources []string
		for _, folder := range []string{"kernel/internal/" + f.source, "internal/workspace"} {
			found, err := filepath.Glob(filepath.Join(e.Root, folder, "*.go"))
			if err != nil {
				return part.Part{}, err
			}
			sources = append(sources, found...)
		}
		for _, file := range sources {
			text, err := os.ReadFile(file)
			if err != nil {
				return part.Part{}, err
			}
			texts = append(texts, string(text))
		}
	}
	e.Tools = filepath.Join(e.Cache, "tools-"+place.Hash(texts...))
	return part.Part{
		Title:   "building GoNB, goimports and gopls",
		Dir:     e.Tools,
		Outputs: outputs,
		Make: func(ctx context.Context, dir string) error {
			settings := []string{"GOBIN=" + dir, "GOFLAGS=", "GOWORK=off", "GOEXPERIMENT="}
			if _, err := process.Run(ctx, filepath.Join(e.Root, "kernel/tools"), settings, e.Go.Path, "install", "tool"); err != nil {
				return err
			}
			for _, f := range fronts {
				_, err := process.Run(ctx, e.Root, settings, e.Go.Path, "build", "-o", filepath.Join(dir, front, f.name), "./kernel/internal/"+f.source)
				if err != nil {
					return err
				}
			}
			return nil
		},
	}, nil
}

// goplsCache is where gopls keeps what it knows of packages.
func (e *Environment) goplsCache() string { return filepath.Join(e.Cache, "gopls") }

// WarmGopls has gopls read what a cell imports, so that the first completion in a new kernel
// needn't wait for it. The result is kept for each checkout and each version of its modules.
func (e *Environment) WarmGopls(ctx context.Context, log io.Writer) error {
	unlock, err := part.Lock(ctx, e.Cache, log)
	if err != nil {
		return err
	}
	defer unlock()
	key, err := e.moduleKey(".")
	if err != nil {
		return err
	}
	p := part.Part{
		Title: "letting gopls read the packages",
		Dir:   filepath.Join(e.goplsCache(), "read-"+place.Hash(e.Root, filepath.Base(e.Tools), key)),
		Make: func(ctx context.Context, dir string) error {
			program := "package main\n\nimport (\n"
			for _, path := range []string{"nami", "nami/field", "nami/solver", "nami/train", "plotting"} {
				program += fmt.Sprintf("\t_ \"github.com/nami-flow/go-nami/%s\"\n", path)
			}
			program += ")\n\nfunc main() {}\n"
			for name, text := range map[string]string{
				"main.go": program,
				"go.mod":  "module cell\n",
				"go.work": fmt.Sprintf("go %s\n\nuse (\n\t.\n\t%q\n)\n", strings.TrimPrefix(e.Go.Version, "go"), e.Root),
			} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					return err
				}
			}
			settings := []string{"GOFLAGS=", "GOWORK=", "GOPROXY=off", "GOEXPERIMENT=" + e.experiment(), "GOPLSCACHE=" + e.goplsCache()}
			_, err := process.Run(ctx, dir, settings, filepath.Join(e.Tools, "gopls"), "check", "main.go")
			return err
		},
	}
	return p.Ensure(ctx, log)
}

package environment

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/nami-flow/go-nami/kernel/internal/process"
)

// makeModules fills Go's module cache, as cells run without a network. Where that fails
// there may be enough in it already: warm tells.
func (e *Environment) makeModules(ctx context.Context, log io.Writer) error {
	return quickly(log, "downloading Go modules", func() error {
		_, err := process.Run(ctx, e.Root, []string{"GOFLAGS=", "GOWORK=off"}, e.Go.Path, "mod", "download")
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			fmt.Fprintf(log, "warning: not all modules of go.mod can be downloaded, so cells may lack some; check the network, or GOPROXY: %s\n", oneLine(err))
		}
		return nil
	})
}

// warm fills Go's build cache with what cells import, for exactly the settings that
// cells are built with; the first cell would else take minutes. It runs every time, as
// it costs a quarter of a second when nothing changed and then covers the checkout's
// own changes, and a cache that was emptied.
func (e *Environment) warm(ctx context.Context, log io.Writer) error {
	return quickly(log, "building the packages that notebooks import", func() error {
		settings := e.buildSettings(e.experiment())
		out, err := process.Run(ctx, e.Root, settings, e.Go.Path, "list", "-f", importable+"{{.ImportPath}}{{end}}", "./...")
		if err != nil {
			return err
		}
		var packages []string
		for path := range strings.FieldsSeq(out) {
			if e.open(path) {
				packages = append(packages, path)
			}
		}
		_, err = process.Run(ctx, e.Root, settings, e.Go.Path, append([]string{"build"}, packages...)...)
		return err
	})
}

// buildSettings are the environment of a build of ours: the user's settings of Go don't
// change what cells find in the build cache.
func (e *Environment) buildSettings(experiment string) []string {
	return []string{"GOFLAGS=", "GOWORK=off", "GOEXPERIMENT=" + experiment}
}

// experiment turns on the vector instructions of the pure Go backend where it is in use.
func (e *Environment) experiment() string {
	if e.Backend == "go" && e.Go.Arch == "amd64" {
		return "simd"
	}
	return ""
}

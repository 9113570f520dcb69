package environment

import (
	"context"
	"path/filepath"

	"github.com/nami-flow/go-nami/kernel/internal/part"
	"github.com/nami-flow/go-nami/kernel/internal/process"
)

// Programs are what the kernel runs: GoNB is the kernel itself, goimports completes a
// cell's imports, gopls answers completion and inspection.
var Programs = []string{"gonb", "goimports", "gopls"}

// tools is the folder of the programs, as the module in kernel/tools pins them.
func (e *Environment) tools() (part.Part, error) {
	key, err := e.moduleKey("kernel/tools")
	if err != nil {
		return part.Part{}, err
	}
	e.Tools = filepath.Join(e.Cache, "tools-"+key)
	return part.Part{
		Title:   "building GoNB, goimports and gopls",
		Dir:     e.Tools,
		Outputs: Programs,
		Make: func(ctx context.Context, dir string) error {
			settings := []string{"GOBIN=" + dir, "GOFLAGS=", "GOWORK=off", "GOEXPERIMENT="}
			_, err := process.Run(ctx, filepath.Join(e.Root, "kernel/tools"), settings, e.Go.Path, "install", "tool")
			return err
		},
	}, nil
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/nami-flow/go-nami/kernel/internal/environment"

	"github.com/spf13/cobra"
)

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say what is installed, and what to do about what isn't",
		Long:  "Prints a table of every part that notebooks need. It changes nothing. The exit code is 1 if\nsomething that is needed is broken.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return doctor(cmd.Context())
		},
	}
}

// cure is what mends most parts.
const cure = "run `go run ./kernel install`"

// doctor looks at what the specification names, as that is what a notebook gets.
func doctor(ctx context.Context) error {
	root, err := environment.Root()
	if err != nil {
		return err
	}
	cache, err := environment.Cache()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	healthy := true
	row := func(part, state, found string) {
		if state != "ok" && state != "none" {
			healthy = false
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", part, state, found)
	}
	version := func(part, program string, args ...string) {
		out, err := exec.CommandContext(ctx, program, args...).Output()
		if err != nil {
			row(part, "broken", fmt.Sprintf("%s: %v: %s", program, err, cure))
			return
		}
		first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		row(part, "ok", first)
	}
	version("Go", "go", "version")

	path := filepath.Join(environment.SpecsOf(cache, root), "kernels/nami/kernel.json")
	var spec struct {
		Argv []string          `json:"argv"`
		Env  map[string]string `json:"env"`
	}
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &spec)
	}
	if err != nil || len(spec.Argv) == 0 {
		row("kernel", "missing", cure)
		_ = w.Flush()
		return errUnhealthy
	}
	row("kernel", "ok", path)
	tools := filepath.Dir(spec.Argv[0])
	version("GoNB", "go", "version", "-m", filepath.Join(tools, "gonb"))
	for _, tool := range []string{"goimports", "gopls"} {
		version(tool, "go", "version", "-m", filepath.Join(tools, tool))
	}
	python, problem := environment.FindJupyter(ctx, cache)
	if problem != "" {
		row("Jupyter", "broken", problem+": "+cure)
	} else {
		row("Jupyter", "ok", python)
	}
	row("backend", "ok", spec.Env["GOMLX_BACKEND"])
	plugin := environment.FindPlugin(cache)
	switch {
	case plugin == "" && spec.Env["GOMLX_BACKEND"] == "xla":
		row("XLA plugin", "missing", cure)
	case plugin == "":
		row("XLA plugin", "none", "notebooks compute in pure Go; "+cure+" --backend xla` for XLA")
	default:
		row("XLA plugin", "ok", plugin)
		probe := exec.CommandContext(ctx, "go", "run", "./kernel/internal/probe", plugin)
		probe.Dir = root
		out, err := probe.CombinedOutput()
		if err != nil {
			row("devices", "broken", strings.TrimSpace(string(out)))
		} else {
			row("devices", "ok", strings.TrimSpace(string(out)))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if !healthy {
		return errUnhealthy
	}
	return nil
}

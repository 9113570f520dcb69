package environment

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/kernel/internal/place"
)

// A Check is what was found of a part, and what to do if that isn't well.
type Check struct {
	Part, Found string
	Cure        string // empty if all is well
	Needed      bool   // notebooks don't run without
}

const install = "run `go run ./kernel install`"

// Examine looks at every part that notebooks need, and makes nothing.
func Examine(ctx context.Context) ([]Check, error) {
	e, err := Locate(ctx)
	if err != nil {
		return nil, err
	}
	tools, err := e.tools()
	if err != nil {
		return nil, err
	}
	checks := []Check{
		{Part: "Go", Found: fmt.Sprintf("%s %s/%s, %s", strings.TrimPrefix(e.Go.Version, "go"), e.Go.OS, e.Go.Arch, e.Go.Path), Needed: true},
		e.examineCgo(),
		examineCache(e.Cache),
	}
	for _, program := range Programs {
		checks = append(checks, examineProgram(filepath.Join(e.Tools, program), tools.Ready()))
	}
	checks = append(checks, e.examineJupyter(ctx))
	return append(checks, e.examineKernel(ctx)...), nil
}

func (e *Environment) examineCgo() Check {
	c := Check{Part: "C compiler", Found: "Go uses it, as XLA needs"}
	if !e.Go.HasCgo() {
		c.Found, c.Cure = "none, so there is no XLA", "install one (on Debian and Ubuntu: apt install gcc libc6-dev)"
	}
	return c
}

func examineCache(cache string) Check {
	c := Check{Part: "cache folder", Found: cache, Needed: true}
	if err := place.Writable(cache); err != nil {
		c.Found, c.Cure = "unusable", err.Error()
	} else if !place.Exists(cache) {
		c.Found, c.Cure = cache+" isn't there yet", install
	}
	return c
}

func examineProgram(path string, complete bool) Check {
	c := Check{Part: map[string]string{"gonb": "GoNB", "goimports": "goimports", "gopls": "gopls"}[filepath.Base(path)], Needed: true}
	info, err := buildinfo.ReadFile(path)
	if err != nil || !complete {
		c.Found, c.Cure = "missing", install
		return c
	}
	c.Found = fmt.Sprintf("%s, %s", info.Main.Version, path)
	return c
}

func (e *Environment) examineJupyter(ctx context.Context) Check {
	c := Check{Part: "Jupyter", Needed: true}
	python, err := e.FindJupyter(ctx)
	switch {
	case err != nil:
		c.Found, c.Cure = "missing", oneLine(err)
		return c
	case python == "":
		c.Found, c.Cure = "missing", install
		return c
	}
	e.Python = python
	found, problem, err := JupyterVersions(ctx, python)
	if err != nil {
		problem = oneLine(err)
	}
	if problem != "" {
		c.Found, c.Cure = problem, "remove "+filepath.Dir(filepath.Dir(python))+" and "+install
		return c
	}
	var versions []string
	for _, s := range supported {
		versions = append(versions, s.name+" "+found[s.name])
	}
	c.Found = strings.Join(versions, ", ") + ", " + python
	return c
}

// examineKernel looks at the specification of the kernel, and at what it names, as that
// is what a notebook gets.
func (e *Environment) examineKernel(ctx context.Context) []Check {
	kernel := Check{Part: "kernel", Needed: true}
	spec, err := ReadSpec(e.Lab)
	if err != nil {
		kernel.Found, kernel.Cure = "missing", install
		return []Check{kernel}
	}
	kernel.Found = fmt.Sprintf("%s, %s", spec.DisplayName, SpecFolder(e.Lab))
	if len(spec.Argv) == 0 || !place.Exists(spec.Argv[0]) {
		kernel.Found, kernel.Cure = "it starts a program that is missing", install
	}
	checks := []Check{kernel}
	if e.Python != "" {
		checks = append(checks, e.examineUserKernel(ctx))
	}

	backend := Check{Part: "backend", Found: spec.Env["GOMLX_BACKEND"], Needed: true}
	plugin := Check{Part: "XLA plugin"}
	devices := Check{Part: "devices", Found: "the CPU, in pure Go"}
	if experiment := spec.Env["GOEXPERIMENT"]; experiment != "" {
		devices.Found += ", GOEXPERIMENT=" + experiment
	}
	name, named, _ := strings.Cut(backend.Found, ":")
	if name == "xla" && named != "" && named != "cpu" {
		plugin.Found, devices.Found = "the user's, "+named, "not examined"
		return append(checks, backend, plugin, devices)
	}
	e.Plugin = FindPlugin(e.Cache)
	plugin.Needed = name == "xla"
	switch {
	case e.Plugin == "" && plugin.Needed:
		plugin.Found, plugin.Cure = "missing", install
	case e.Plugin == "":
		plugin.Found, plugin.Cure = "none", install+" to have XLA"
	default:
		report, err := e.tryPlugin(ctx, safeLink)
		if err != nil {
			plugin.Found, plugin.Cure = fmt.Sprintf("%s doesn't work: %s", e.Plugin, oneLine(err)), install
			break
		}
		plugin.Found = fmt.Sprintf("PJRT %s, %s", report.PJRT, e.Plugin)
		if plugin.Needed {
			devices.Found = strings.Join(report.Devices, ", ")
		}
	}
	return append(checks, backend, plugin, devices)
}

// examineUserKernel looks whether the user's own Jupyter lists the kernel.
func (e *Environment) examineUserKernel(ctx context.Context) Check {
	c := Check{Part: "user's kernel"}
	data, err := e.userData(ctx)
	if err != nil {
		c.Found, c.Cure = "unknown", oneLine(err)
		return c
	}
	spec, err := ReadSpec(data)
	own := slices.Contains(spec.Argv, "-go_work="+e.Root)
	switch {
	case err != nil:
		c.Found, c.Cure = "none in "+SpecFolder(data), install+" to have it in any JupyterLab"
	case !own:
		c.Found, c.Cure = SpecFolder(data)+" is another checkout's", install+" to have this one's"
	default:
		c.Found = SpecFolder(data)
	}
	return c
}

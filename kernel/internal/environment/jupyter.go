package environment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/nami-flow/go-nami/kernel/internal/part"
	"github.com/nami-flow/go-nami/kernel/internal/place"
	"github.com/nami-flow/go-nami/kernel/internal/process"
)

// supported are the versions that the kernel works with: from, and below. pixi.toml and
// requirements.in say the same.
var supported = []struct{ name, from, below string }{
	{"jupyterlab", "4.4", "5"},
	{"nbclient", "0.10", "1"},
	{"nbconvert", "7.16", "8"},
	{"nbformat", "5.10", "6"},
}

// versionsScript prints the versions of the packages that are its arguments.
const versionsScript = `import importlib.metadata as m, json, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = m.version(name)
    except m.PackageNotFoundError:
        pass
print(json.dumps(found))`

// JupyterVersions are the versions that a Python has of what notebooks need, and what
// is wrong with them; empty if nothing is.
func JupyterVersions(ctx context.Context, python string) (found map[string]string, problem string, err error) {
	args := []string{"-c", versionsScript}
	for _, s := range supported {
		args = append(args, s.name)
	}
	out, err := process.Run(ctx, "", nil, python, args...)
	if err != nil {
		return nil, "", err
	}
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		return nil, "", fmt.Errorf("%s said %q: %w", python, out, err)
	}
	return found, versionProblem(found), nil
}

func versionProblem(found map[string]string) string {
	var problems []string
	for _, s := range supported {
		version, ok := found[s.name]
		switch {
		case !ok:
			problems = append(problems, s.name+" is missing")
		case less(version, s.from) || !less(version, s.below):
			problems = append(problems, fmt.Sprintf("%s is %s, expected %s or later and below %s", s.name, version, s.from, s.below))
		}
	}
	return strings.Join(problems, "; ")
}

// pathPythons are the Pythons that can belong to the Jupyter on PATH: beside it, and
// beside what it is a link to.
func pathPythons() (pythons []string) {
	jupyter, err := exec.LookPath("jupyter-lab")
	if err != nil {
		return nil
	}
	folders := []string{filepath.Dir(jupyter)}
	if target, err := filepath.EvalSymlinks(jupyter); err == nil && filepath.Dir(target) != folders[0] {
		folders = append(folders, filepath.Dir(target))
	}
	for _, folder := range folders {
		if python := filepath.Join(folder, "python3"); place.Exists(python) {
			pythons = append(pythons, python)
		}
	}
	return pythons
}

// FindJupyter is the Python of the Jupyter on PATH, if its versions are supported; else
// that of the private environment, if it is complete; else empty.
func (e *Environment) FindJupyter(ctx context.Context) (python string, err error) {
	for _, python := range pathPythons() {
		_, problem, err := JupyterVersions(ctx, python)
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		if err == nil && problem == "" { // a Python that doesn't run is no candidate
			return python, nil
		}
	}
	private, err := e.privateJupyter(ctx)
	if err != nil || !private.Ready() {
		return "", err
	}
	return filepath.Join(private.Dir, "bin/python3"), nil
}

func (e *Environment) makeJupyter(ctx context.Context, log io.Writer) (err error) {
	if e.Python, err = e.FindJupyter(ctx); err != nil || e.Python != "" {
		return err
	}
	private, err := e.privateJupyter(ctx)
	if err != nil {
		return err
	}
	e.Python = filepath.Join(private.Dir, "bin/python3")
	return private.Ensure(ctx, log)
}

// privateJupyter is a virtual environment with what requirements.txt locks. It changes
// with that and with the Python that it is made from.
func (e *Environment) privateJupyter(ctx context.Context) (part.Part, error) {
	python, err := exec.LookPath("python3")
	if err != nil {
		return part.Part{}, errors.New("there is no python3 on PATH: install Python 3.10 or later, which Jupyter needs, or run this in the pixi environment (`pixi run kernel`)")
	}
	about, err := process.Run(ctx, "", nil, python, "-c", "import sys; print(sys.executable, sys.version); sys.exit(sys.version_info < (3, 10))")
	if err != nil {
		if ctx.Err() != nil {
			return part.Part{}, err
		}
		return part.Part{}, fmt.Errorf("python3 is too old or broken, Jupyter needs Python 3.10 or later; put one first on PATH as python3: %w", err)
	}
	requirements := filepath.Join(e.Root, "kernel/requirements.txt")
	text, err := os.ReadFile(requirements)
	if err != nil {
		return part.Part{}, fmt.Errorf("the checkout is incomplete: %w: `git restore` it", err)
	}
	return part.Part{
		Title:   "installing Jupyter into an environment of its own",
		Dir:     filepath.Join(e.Cache, "jupyter-"+place.Hash(about, string(text))),
		Outputs: []string{"bin/python3", "bin/jupyter-lab"},
		InPlace: true, // its scripts hold its path
		Make: func(ctx context.Context, dir string) error {
			if _, err := process.Run(ctx, "", nil, python, "-m", "venv", dir); err != nil {
				return fmt.Errorf("%w\n%s can't make a virtual environment: install its venv module (on Debian and Ubuntu: apt install python3-venv)", err, python)
			}
			_, err := process.Run(ctx, "", nil, filepath.Join(dir, "bin/python3"), "-m", "pip", "install", "--quiet",
				"--disable-pip-version-check", "--no-input", "--require-hashes", "-r", requirements)
			if err != nil {
				return fmt.Errorf("%w\npip couldn't install Jupyter: check the network, or install jupyterlab, nbclient and nbconvert yourself and put them on PATH", err)
			}
			return nil
		},
	}, nil
}

package environment

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// supported are the versions that the kernel works with: at least, and below.
var supported = map[string][2]string{
	"jupyterlab": {"4.4", "5"},
	"nbclient":   {"0.10", "1"},
	"nbconvert":  {"7.16", "8"},
}

// versionsScript prints the versions of what is supported, in JSON.
const versionsScript = `import importlib.metadata as m, json
found = {}
for name in ("jupyterlab", "nbclient", "nbconvert"):
    try: found[name] = m.version(name)
    except m.PackageNotFoundError: pass
print(json.dumps(found))`

// jupyter finds Jupyter on PATH, or makes a private virtual environment with it.
func (m *maker) jupyter(ctx context.Context) error {
	if python := pythonBeside("jupyter"); python != "" && JupyterProblem(ctx, python) == "" {
		m.Python = python
		return nil
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		return fmt.Errorf("there is no python3 on PATH: Jupyter needs Python 3.10 or newer")
	}
	version, err := command(ctx, m.Root, nil, python, "-c", "import sys; print(sys.version, sys.executable); sys.exit(sys.version_info < (3, 10))")
	if err != nil {
		return fmt.Errorf("python3 is too old, notebooks need 3.10 or newer: %w", err)
	}
	requirements := filepath.Join(m.Root, "kernel/requirements.txt")
	text, err := os.ReadFile(requirements)
	if err != nil {
		return err
	}
	dir, err := m.folder("jupyter", version+string(text), "installing JupyterLab in a virtual environment", []string{"bin/python3", "bin/jupyter"}, func(dir string) error {
		if _, err := command(ctx, m.Root, nil, python, "-m", "venv", dir); err != nil {
			return fmt.Errorf("%w\nif venv is missing, install it (on Debian the package python3-venv)", err)
		}
		_, err := command(ctx, m.Root, nil, filepath.Join(dir, "bin/python3"), "-m", "pip", "install", "--quiet",
			"--disable-pip-version-check", "--require-hashes", "-r", requirements)
		return err
	})
	m.Python = filepath.Join(dir, "bin/python3")
	return err
}

// FindJupyter is the Python that runs notebooks, and what it lacks.
func FindJupyter(ctx context.Context, cache string) (python, problem string) {
	if python := pythonBeside("jupyter"); python != "" && JupyterProblem(ctx, python) == "" {
		return python, ""
	}
	found, _ := filepath.Glob(filepath.Join(cache, "jupyter-*", stamp)) // the pattern is well-formed
	if len(found) == 0 {
		return "", "it isn't installed"
	}
	python = filepath.Join(filepath.Dir(found[0]), "bin/python3")
	return python, JupyterProblem(ctx, python)
}

// pythonBeside is the Python in the folder of a program on PATH, empty if there is none.
func pythonBeside(program string) string {
	path, err := exec.LookPath(program)
	if err != nil {
		return ""
	}
	python := filepath.Join(filepath.Dir(path), "python3")
	if !exists(python) {
		return ""
	}
	return python
}

// JupyterProblem says what a Python lacks to run notebooks; empty if nothing.
func JupyterProblem(ctx context.Context, python string) string {
	out, err := command(ctx, "", nil, python, "-c", versionsScript)
	if err != nil {
		return err.Error()
	}
	found := map[string]string{}
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		return err.Error()
	}
	var problems []string
	for name, limits := range supported {
		version, ok := found[name]
		if !ok {
			problems = append(problems, name+" is missing")
		} else if less(version, limits[0]) || !less(version, limits[1]) {
			problems = append(problems, fmt.Sprintf("%s is %s, expected at least %s and below %s", name, version, limits[0], limits[1]))
		}
	}
	return strings.Join(problems, ", ")
}

// less compares versions by their leading numbers.
func less(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(x), len(y)) {
		p, q := number(x, i), number(y, i)
		if p != q {
			return p < q
		}
	}
	return false
}

func number(parts []string, i int) int {
	if i >= len(parts) {
		return 0
	}
	n, err := strconv.Atoi(parts[i])
	if err != nil {
		return 0 // a suffix such as rc1
	}
	return n
}

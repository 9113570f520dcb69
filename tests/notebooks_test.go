package tests

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// buildKernel builds the kernel command, for as many runs as a test needs.
func buildKernel(t *testing.T) func(args ...string) (output string, code int) {
	t.Helper()
	if testing.Short() {
		t.Skip("it makes the environment of notebooks, which -short does without")
	}
	binary := filepath.Join(t.TempDir(), "kernel")
	build := exec.Command("go", "build", "-o", binary, "./kernel")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return func(args ...string) (string, int) {
		t.Helper()
		command := exec.Command(binary, args...)
		command.Dir = ".."
		var out bytes.Buffer
		command.Stdout, command.Stderr = &out, &out
		err := command.Run()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return out.String(), command.ProcessState.ExitCode()
	}
}

// The notebooks tell true stories: each runs to its end.
func TestBooks(t *testing.T) {
	kernel := buildKernel(t)
	for _, path := range notebooks(t) {
		t.Run(strings.TrimPrefix(path, "../"), func(t *testing.T) {
			out, code := kernel("run", "--out", t.TempDir(), strings.TrimPrefix(path, "../"))
			if code != 0 {
				t.Errorf("exit code %d\n%s", code, out)
			}
		})
	}
}

// What goes wrong in a notebook is told in plain words, and what ran is kept.
func TestKernelRun(t *testing.T) {
	kernel := buildKernel(t)
	for name, c := range map[string]struct {
		args []string
		code int
		want []string
	}{
		"ok":         {nil, 0, []string{"cell 2/2 ok", "1 passed, 0 failed"}},
		"compile":    {nil, 1, []string{"cell 2, line 3: fmt.Println(missing)", "undefined: missing", "0 passed, 1 failed"}},
		"panic":      {nil, 1, []string{`cell 2, line 3: panic("the roof is on fire")`, "panic: the roof is on fire"}},
		"exit":       {nil, 1, []string{"cell 2, line 4: os.Exit(3)", "exit status 3"}},
		"shell":      {nil, 1, []string{"cell 2, line 1: !ls /no/such/folder", "No such file"}},
		"timeout":    {[]string{"--timeout", "3s"}, 1, []string{"cell 2", "longer than 3 s"}},
		"parameters": {[]string{"--param", "steps=3", "--param", "name=ada"}, 0, []string{"1 passed"}},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			args := append([]string{"run", "--out", folder, "kernel/testdata/" + name + ".ipynb"}, c.args...)
			out, code := kernel(args...)
			if code != c.code {
				t.Errorf("exit code %d, expected %d\n%s", code, c.code, out)
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("the output doesn't say %q:\n%s", want, out)
				}
			}
			if strings.Contains(out, "\x1b[") {
				t.Errorf("the output isn't plain text:\n%q", out)
			}
			executed, err := os.ReadFile(filepath.Join(folder, "kernel/testdata", name+".ipynb"))
			if err != nil {
				t.Fatal(err)
			}
			first := map[string]string{"parameters": `3 ada\n`}[name]
			if first == "" {
				first = `hello\n`
			}
			if !strings.Contains(string(executed), first) {
				t.Errorf("the executed notebook lacks the output %q of a cell that ran", first)
			}
			page, err := os.ReadFile(filepath.Join(folder, "kernel/testdata", name+".html"))
			if err != nil || !strings.Contains(string(page), "</html>") {
				t.Errorf("the page isn't whole: %v", err)
			}
		})
	}
}

func TestKernelMisuse(t *testing.T) {
	kernel := buildKernel(t)
	dir := t.TempDir()
	broken, empty := filepath.Join(dir, "broken.ipynb"), filepath.Join(dir, "empty")
	if err := errors.Join(os.WriteFile(broken, []byte(`{"cells": [`), 0o644), os.Mkdir(empty, 0o755)); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"there is no notebook nowhere.ipynb": {"run", "nowhere.ipynb"},
		"isn't a notebook":                   {"run", "go.mod"},
		"holds no notebooks":                 {"run", empty},
		"it is no notebook":                  {"run", "--out", dir, broken},
		"there is no parameter stepz":        {"run", "--out", dir, "--param", "stepz=3", "kernel/testdata/parameters.ipynb"},
		"no cell is tagged":                  {"run", "--out", dir, "--param", "steps=3", "kernel/testdata/ok.ipynb"},
		"expected name=value":                {"run", "--param", "steps", "kernel/testdata/parameters.ipynb"},
		"must be go or xla":                  {"run", "--backend", "abacus", "kernel/testdata/ok.ipynb"},
		"requires at least 1 arg":            {"run"},
		"both must be positive":              {"run", "--timeout", "0s", "kernel/testdata/ok.ipynb"},
		"lab opens one notebook":             {"lab", "a.ipynb", "b.ipynb"},
		"Execute notebooks":                  {"--help"},
		"the longest a cell may run":         {"run", "--help"},
		"what notebooks compute on":          {"install", "--help"},
		"Open JupyterLab with the kernel":    {"lab", "--help"},
		"It changes nothing":                 {"doctor", "--help"},
	} {
		out, code := kernel(args...)
		if !strings.Contains(out, want) || (code == 0) != (args[len(args)-1] == "--help") {
			t.Errorf("kernel %v: exit code %d, expected it to say %q:\n%s", args, code, want, out)
		}
	}
}

// An unwritable cache folder is said, with its mend.
func TestUnwritableCache(t *testing.T) {
	kernel := buildKernel(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NAMI_CACHE", filepath.Join(file, "cache"))
	for _, args := range [][]string{{"install"}, {"doctor"}, {"run", "kernel/testdata/ok.ipynb"}} {
		if out, code := kernel(args...); code != 1 || !strings.Contains(out, "set NAMI_CACHE") {
			t.Errorf("kernel %v: exit code %d:\n%s", args, code, out)
		}
	}
}

// The doctor finds nothing wrong where a notebook has run.
func TestDoctor(t *testing.T) {
	kernel := buildKernel(t)
	t.Setenv("JUPYTER_DATA_DIR", t.TempDir()) // the user's own Jupyter stays as it is
	if out, code := kernel("install"); code != 0 {
		t.Fatal(out)
	}
	out, code := kernel("doctor")
	for _, part := range []string{"Go ", "GoNB", "goimports", "gopls", "kernel", "Jupyter", "backend"} {
		if !strings.Contains(out, part) {
			t.Errorf("the table lacks %s:\n%s", part, out)
		}
	}
	if code != 0 {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

// Package kernel tests the kernel command as its users meet it: without a tag what needs
// nothing but Go, and one notebook where the environment is installed; with the tag slow all
// of it, which makes environments and needs a network.
package kernel

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/tests/internal/checkout"
)

// What the kernel command refuses before it makes anything, and its help.
func TestKernelMisuse(t *testing.T) {
	kernel := checkout.BuildKernel(t)
	dir := t.TempDir()
	broken, empty := filepath.Join(dir, "broken.ipynb"), filepath.Join(dir, "empty")
	if err := errors.Join(os.WriteFile(broken, []byte(`{"cells": [`), 0o644), os.Mkdir(empty, 0o755)); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"there is no notebook nowhere.ipynb":    {"run", "nowhere.ipynb"},
		"isn't a notebook":                      {"run", "go.mod"},
		"holds no notebooks":                    {"run", empty},
		"its JSON is broken: line 1, column 11": {"run", broken},
		"declares such a parameter":             {"run", "--out", dir, "--param", "stepz=3", "kernel/testdata/parameters.ipynb"},
		"is a whole number":                     {"run", "--out", dir, "--param", "steps=many", "kernel/testdata/parameters.ipynb"},
		"no code cell has the tag":              {"run", "--out", dir, "--param", "steps=3", "kernel/testdata/ok.ipynb"},
		"exclude each other":                    {"run", "--write", "--param", "steps=3", "kernel/testdata/parameters.ipynb"},
		"expected name=value":                   {"run", "--param", "steps", "kernel/testdata/parameters.ipynb"},
		"must be go or xla":                     {"run", "--backend", "abacus", "kernel/testdata/ok.ipynb"},
		"requires at least 1 arg":               {"run"},
		"must be positive":                      {"run", "--timeout", "0s", "kernel/testdata/ok.ipynb"},
		"lab opens one notebook":                {"lab", "a.ipynb", "b.ipynb"},
		"Execute notebooks":                     {"--help"},
		"the longest a cell may run":            {"run", "--help"},
		"what notebooks compute on":             {"install", "--help"},
		"starts JupyterLab in books":            {"lab", "--help"},
		"and changes nothing":                   {"doctor", "--help"},
		"A dead link is an error":               {"docs", "--help"},
	} {
		out, code := kernel.Run(t, args...)
		if !strings.Contains(out, want) || (code == 0) != (args[len(args)-1] == "--help") {
			t.Errorf("kernel %v: exit code %d, expected it to say %q:\n%s", args, code, want, out)
		}
	}
}

func TestDocsMisuse(t *testing.T) {
	kernel := checkout.BuildKernel(t)
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "thesis.tex"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"something else than an earlier site": {"docs", "--out", full},
		"expected 1 to 65535":                 {"docs", "--port", "0"},
		"unknown command":                     {"docs", "nami"},
	} {
		if out, code := kernel.Run(t, args...); code != 1 || !strings.Contains(out, want) {
			t.Errorf("kernel %v: exit code %d, expected it to say %q:\n%s", args, code, want, out)
		}
	}
}

// An unwritable cache folder is said, with its mend.
func TestUnwritableCache(t *testing.T) {
	kernel := checkout.BuildKernel(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NAMI_CACHE", filepath.Join(file, "cache"))
	for _, args := range [][]string{{"install"}, {"doctor"}, {"run", "kernel/testdata/ok.ipynb"}} {
		if out, code := kernel.Run(t, args...); code != 1 || !strings.Contains(out, "set NAMI_CACHE") {
			t.Errorf("kernel %v: exit code %d:\n%s", args, code, out)
		}
	}
}

// What is expected to fail is listed with the reason.
func TestConformanceIsDocumented(t *testing.T) {
	script, err := os.ReadFile("../conformance/test_kernel.py")
	if err != nil {
		t.Fatal(err)
	}
	listed, err := os.ReadFile("../../docs/kernel.md")
	if err != nil {
		t.Fatal(err)
	}
	failures := regexp.MustCompile(`expectedFailure\n +def (test_\w+)`).FindAllSubmatch(script, -1)
	for _, name := range failures {
		if !bytes.Contains(listed, append([]byte("| `"), name[1]...)) {
			t.Errorf("docs/kernel.md doesn't list %s", name[1])
		}
	}
	if listed := bytes.Count(listed, []byte("| `test_")); listed != len(failures) {
		t.Errorf("docs/kernel.md lists %d tests that fail, expected %d", listed, len(failures))
	}
}

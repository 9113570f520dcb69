//go:build slow

// Package pages runs what pages of the documentation tell readers to type.
package pages

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/tests/internal/checkout"
)

// fence is a block of code on a page, with what stands behind its language: the name of the
// file that it is.
var fence = regexp.MustCompile("(?ms)^```(\\w+)(?: (\\S+))?\n(.*?)^```$")

// run does what a page says, from top to bottom, in a module of its own in which the files
// beside are: a block of Go with a file's name is written, a block of sh is executed. It
// returns the module's folder, and what the commands printed.
func run(t *testing.T, page string, beside map[string]string) (folder, printed string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(checkout.Root(t), page))
	if err != nil {
		t.Fatal(err)
	}
	folder = module(t)
	for name, from := range beside {
		content, err := os.ReadFile(filepath.Join(checkout.Root(t), from))
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, name), content, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	executed := 0
	for _, block := range fence.FindAllStringSubmatch(string(text), -1) {
		switch language, name, code := block[1], block[2], block[3]; {
		case name != "":
			if err := os.WriteFile(filepath.Join(folder, name), []byte(code), 0o644); err != nil {
				t.Fatal(err)
			}
		case language == "sh":
			shell := exec.Command("bash", "-euo", "pipefail", "-c", code)
			shell.Dir = folder
			shell.Env = append(os.Environ(), "GOBIN="+filepath.Join(folder, "bin"), "GOFLAGS=-mod=mod", "GOWORK=off",
				"PATH="+filepath.Join(folder, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
			out, err := shell.CombinedOutput()
			if err != nil {
				t.Fatalf("%s:\n%s\n%v\n%s", page, code, err, out)
			}
			printed += string(out)
			executed++
		}
	}
	if executed == 0 {
		t.Fatalf("%s has no commands", page)
	}
	t.Log(printed)
	return folder, printed
}

// module makes a module that uses this checkout of nami, and what it requires.
func module(t *testing.T) (folder string) {
	t.Helper()
	root := checkout.Root(t)
	folder = t.TempDir()
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	const own = "github.com/nami-flow/go-nami"
	text := strings.Replace(string(mod), "module "+own, "module example.com/own", 1)
	text += fmt.Sprintf("\nrequire %s v0.0.0\n\nreplace %s => %s\n", own, own, root)
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"go.mod": text, "go.sum": string(sum)} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// The page Your own data, from the table in a file to samples drawn by the command.
func TestYourOwnData(t *testing.T) {
	folder, printed := run(t, "docs/your-own-data.md", nil)
	for _, want := range []string{"best, after step", "rows have no logprob: 4 incomplete, 2 with an infinite value, 0 outside"} {
		if !strings.Contains(printed, want) {
			t.Errorf("the commands didn't print %q", want)
		}
	}
	if picture, err := os.Stat(filepath.Join(folder, "marginals.png")); err != nil || picture.Size() < 10_000 {
		t.Errorf("there is no picture (%v)", err)
	}
	judged, err := os.ReadFile(filepath.Join(folder, "judged.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(strings.TrimSpace(string(judged)), "\n"); len(lines) != 1001 || !strings.Contains(lines[0], "logprob") {
		t.Errorf("judged.csv has %d lines, of which the first is %q: expected 1001 and a column logprob", len(lines), lines[0])
	}
}

// The page about deployment: the command, and a service with the model inside.
func TestDeploying(t *testing.T) {
	_, printed := run(t, "docs/deploying.md", map[string]string{"model.safetensors": "nami/modelfile/testdata/version1-flow.safetensors"})
	for _, want := range []string{"1000 samples are in samples.npy", "computing with go", "ready\n", `{"samples":[[`, `{"logprob":[`, "expected 1 for one of the classes muon, pion, in this order", "nami_"} {
		if !strings.Contains(printed, want) {
			t.Errorf("the commands didn't print %q", want)
		}
	}
}

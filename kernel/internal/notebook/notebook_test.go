package notebook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nami-flow/go-nami/kernel/internal/environment"
	"github.com/nami-flow/go-nami/kernel/internal/ipynb"
	"github.com/nami-flow/go-nami/kernel/internal/place/placetest"
)

// notebookOf is a notebook of code cells; the first is tagged.
func notebookOf(t *testing.T, tag string, sources ...string) string {
	t.Helper()
	var cells []map[string]any
	for i, source := range sources {
		metadata := map[string]any{}
		if i == 0 && tag != "" {
			metadata["tags"] = []string{tag}
		}
		cells = append(cells, map[string]any{"cell_type": "code", "source": source, "metadata": metadata, "outputs": []any{}, "execution_count": nil})
	}
	text, err := json.Marshal(map[string]any{"nbformat": 4, "nbformat_minor": 4, "metadata": map[string]any{}, "cells": cells})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFind(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"books/b.ipynb", "books/deep/a.ipynb", "books/.ipynb_checkpoints/a-checkpoint.ipynb", "books/notes.txt", "books/build/books/b.ipynb"} {
		placetest.Write(t, filepath.Join(root, name), "")
	}
	t.Chdir(root)
	sources, err := Find(root, "books/build", []string{"books", "books/b.ipynb"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range sources {
		names = append(names, s.Name)
	}
	if got := strings.Join(names, " "); got != "books/b.ipynb books/deep/a.ipynb" {
		t.Errorf("found %s", got)
	}

	elsewhere := t.TempDir()
	placetest.Write(t, filepath.Join(elsewhere, "x/n.ipynb"), "")
	placetest.Write(t, filepath.Join(elsewhere, "y/n.ipynb"), "")
	sources, err = Find(root, "build", []string{elsewhere})
	if err != nil || len(sources) != 2 || sources[0].Name != "x/n.ipynb" {
		t.Errorf("outside the checkout: %v, %v", sources, err)
	}

	empty := t.TempDir()
	for _, c := range []struct {
		out      string
		paths    []string
		expected string
	}{
		{"build", []string{"none.ipynb"}, "no notebook none.ipynb"},
		{"build", []string{"books/notes.txt"}, "doesn't end in .ipynb"},
		{"build", []string{empty}, "holds no notebooks"},
		{".", []string{"books/b.ipynb"}, "use --write"},
		{"build", []string{filepath.Join(elsewhere, "x/n.ipynb"), filepath.Join(elsewhere, "y/n.ipynb")}, "would both be written"},
	} {
		if _, err := Find(root, c.out, c.paths); err == nil || !strings.Contains(err.Error(), c.expected) {
			t.Errorf("Find(%q, %q): the error is %v; expected %q", c.out, c.paths, err, c.expected)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, expected string }{
		"broken":   {"{", "JSON is broken"},
		"no code":  {`{"nbformat": 4, "cells": [{"cell_type": "markdown", "source": "# Hi"}, {"cell_type": "code", "source": [" \n"]}]}`, "no code: none of its 2 cells"},
		"language": {`{"nbformat": 4, "metadata": {"kernelspec": {"name": "python3", "language": "python"}}, "cells": [{"cell_type": "code", "source": "1"}]}`, `"python"`},
	} {
		path := placetest.Write(t, filepath.Join(t.TempDir(), "n.ipynb"), c.text)
		err := Check([]Source{{Path: path, Name: "n.ipynb"}}, Options{})
		if err == nil || !strings.Contains(err.Error(), c.expected) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: the error is %v; expected it to name the file and say %q", name, err, c.expected)
		}
	}
}

const declared = `%goflags -v
import "time"

// Comments stay.
var (
	steps = 2000
	rate float64 = 1
	noise = 0.05
)
var name = "moons"
var quick, slow = true, false
var verbose = false
var letter = 'x'
var shift = -3
var wait = 2 * time.Second
`

func TestInject(t *testing.T) {
	tagged := func(kind, source string, tags ...string) (c ipynb.Cell) {
		c.Type, c.Source, c.Metadata.Tags = kind, ipynb.Text(source), tags
		return c
	}
	n := &ipynb.Notebook{Cells: []ipynb.Cell{
		tagged("markdown", "## Parameters", parametersTag),
		tagged("code", "var steps = 1", injectedTag, parametersTag),
		tagged("code", "var steps = 1"),
		tagged("code", declared, "hidden", parametersTag),
		tagged("code", "var other = 1", parametersTag),
		tagged("code", "var steps = 7\nvar last = 1", parametersTag),
	}}
	got, err := inject(n, map[string]string{
		"steps": "50", "rate": "2", "noise": "1", "name": `two "moons"`, "verbose": "true", "letter": "é", "shift": "0x10", "last": "3",
	})
	expected := []injection{{0, `var letter = 'é'
var name = "two \"moons\""
var noise = 1.0
var rate float64 = 2
var shift = 0x10
var steps = 50
var verbose = true`}, {2, "var last = 3\nvar steps = 50"}}
	if err != nil || !slices.Equal(got, expected) {
		t.Errorf("inject = %v\n%v\nexpected\n%v", err, got, expected)
	}
	for _, c := range []struct{ name, value, expected string }{
		{"stepz", "1", "declared are last, letter, name, noise, other, rate, shift, steps, verbose"},
		{"steps", "many", "whole number"},
		{"steps", "1.5", "whole number"},
		{"noise", "a lot", "is a number"},
		{"noise", "NaN", "not finite"},
		{"verbose", "1", "true or false"},
		{"letter", "xy", "one character"},
		{"wait", "1", "declares such a parameter"}, // declared, but by an expression
		{"quick", "false", "declares such a parameter"},
	} {
		_, err := inject(n, map[string]string{c.name: c.value})
		if err == nil || !strings.Contains(err.Error(), c.expected) || !strings.Contains(err.Error(), "--param "+c.name) {
			t.Errorf("--param %s=%s: the error is %v; expected %q", c.name, c.value, err, c.expected)
		}
	}
	for _, cells := range [][]ipynb.Cell{n.Cells[:1], n.Cells[1:2], n.Cells[2:3]} {
		_, err := inject(&ipynb.Notebook{Cells: cells}, map[string]string{"steps": "1"})
		if err == nil || !strings.Contains(err.Error(), `no code cell has the tag`) {
			t.Errorf("with the cell %+v alone: %v", cells[0], err)
		}
	}
	broken := []ipynb.Cell{n.Cells[0], tagged("code", "var = 3", parametersTag)}
	if _, err := inject(&ipynb.Notebook{Cells: broken}, map[string]string{"steps": "1"}); err == nil || !strings.Contains(err.Error(), "cell 2") || !strings.Contains(err.Error(), "isn't Go") {
		t.Errorf("with a cell that doesn't parse: %v", err)
	}
}

func TestExplain(t *testing.T) {
	for name, c := range map[string]struct {
		f        failure
		cell     int
		expected []string
		not      []string
	}{
		"compile error": {
			f:    failure{Kind: "error", Source: "%%\na := 1\nfmt.Println(missing)", Trace: []string{"\x1b[31mcell 2, line 3: undefined: missing (and 1 more error)\x1b[0m"}, Folded: "cell 2, line 2: declared and not used: a"},
			cell: 2, expected: []string{"cell 2, line 3: fmt.Println(missing)\n  undefined: missing (and 1 more error)\n  cell 2, line 2: declared"}, not: []string{"\x1b"},
		},
		"panic elsewhere": {
			f:    failure{Kind: "error", Source: "%%\n\ndeep()", Trace: []string{"cell 1, line 4: panic: deep"}, Stderr: "careful\n", Folded: "goroutine 1"},
			cell: 2, expected: []string{"cell 2, which begins: deep()\n  cell 1, line 4: panic: deep\n  careful\n  goroutine 1"},
		},
		"exit": {
			f:    failure{Kind: "error", Source: "%%\nos.Exit(3)", Trace: []string{"cell 5: exit status 3"}},
			cell: 5, expected: []string{"cell 5, line 2: os.Exit(3)\n  exit status 3"},
		},
		"one of several exits": {
			f:    failure{Kind: "error", Source: "%%\nif x {\n\tos.Exit(1)\n}\nos.Exit(3)", Trace: []string{"cell 1: exit status 3"}},
			cell: 1, expected: []string{"cell 1, which begins: if x {\n  exit status 3"},
		},
		"shell": {
			f:    failure{Kind: "error", Source: "!ls /nowhere", Trace: []string{"cell 1, line 1: the shell line failed, exit status 2: ls: cannot access"}},
			cell: 1, expected: []string{"cell 1, line 1: !ls /nowhere\n  the shell line failed, exit status 2: ls: cannot access"},
		},
		"timeout": {
			f:    failure{Kind: "timeout", Source: "%%\nos.Exit(work())"},
			cell: 3, expected: []string{"cell 3, which begins: os.Exit(work())", "longer than 2m0s", "--timeout"},
		},
		"died": {f: failure{Kind: "died"}, cell: 1, expected: []string{"cell 1", "the kernel died"}},
	} {
		got := c.f.explain(c.cell, 2*time.Minute)
		for _, expected := range c.expected {
			if !strings.Contains(got, expected) {
				t.Errorf("%s: it doesn't say %q:\n%s", name, expected, got)
			}
		}
		for _, not := range c.not {
			if strings.Contains(got, not) {
				t.Errorf("%s: it says %q:\n%s", name, not, got)
			}
		}
	}
}

// runWith runs notebooks with a script in the place of Python and its driver.
func runWith(t *testing.T, ctx context.Context, script string, o Options, notebooks ...string) (string, error) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	var sources []Source
	for _, name := range notebooks {
		sources = append(sources, Source{Path: placetest.Write(t, filepath.Join(t.TempDir(), name), notebookOf(t, "", "%%\nwork()", "%%\nos.Exit(3)")), Name: name})
	}
	env := &environment.Environment{Python: placetest.Write(t, filepath.Join(t.TempDir(), "python3"), "#!/bin/sh\n"+script), Scripted: t.TempDir()}
	var out bytes.Buffer
	o.Output, o.Timeout, o.Out, o.Parallel = &out, time.Minute, t.TempDir(), max(1, o.Parallel)
	err := Run(ctx, env, sources, o)
	if left, globErr := filepath.Glob(filepath.Join(os.TempDir(), "nami-run-*")); globErr != nil || len(left) > 0 {
		t.Errorf("%v, %v is left", left, globErr)
	}
	return out.String(), err
}

const canned = `cat > /dev/null
echo '{"event": "kernel", "pid": 0, "cells": 2}'
echo '{"event": "start", "cell": 1}'
echo '{"event": "done", "cell": 1, "seconds": 1.25}'
echo '{"event": "start", "cell": 2}'
`

func TestRunTellsOfEachCell(t *testing.T) {
	out, err := runWith(t, t.Context(), canned+`
case "$NAMI_STATE" in */nami-run-*/state) ;; *) exit 9 ;; esac
test -d "$NAMI_STATE" && test -z "$(ls "$NAMI_STATE")" || exit 9
echo '{"event": "done", "cell": 2, "seconds": 0.5}'
echo '{"event": "warning", "text": "no picture"}'
echo '{"event": "written"}'`, Options{}, "a.ipynb")
	if err != nil {
		t.Errorf("%v", err)
	}
	for _, line := range []string{"cell 1/2  ok  1.2 s", "cell 2/2  ok  0.5 s", "warning: no picture", "1 passed, 0 failed"} {
		if !strings.Contains(out, line+"\n") {
			t.Errorf("there is no line %q in\n%s", line, out)
		}
	}
}

func TestRunFailure(t *testing.T) {
	out, err := runWith(t, t.Context(), canned+`
printf '%s\n' '{"event": "failed", "cell": 2, "seconds": 0.5, "kind": "error", "source": "%%\nos.Exit(3)", "stderr": "exit status 3\n", "trace": []}'
echo '{"event": "written"}'
exit 1`, Options{Parallel: 2}, "a.ipynb", "b.ipynb")
	if !errors.Is(err, ErrFailed) {
		t.Errorf("the error is %v", err)
	}
	for _, line := range []string{"FAILED a.ipynb: cell 2, line 2: os.Exit(3)", "FAILED b.ipynb: cell 2, line 2: os.Exit(3)", "a.ipynb  cell 2/2  failed  0.5 s", "0 passed, 2 failed"} {
		if !strings.Contains(out, line+"\n") {
			t.Errorf("there is no line %q in\n%s", line, out)
		}
	}
}

func TestRunBrokenDriver(t *testing.T) {
	for name, c := range map[string]struct{ script, expected string }{
		"ends early": {canned + "echo no module named nbclient >&2; exit 1", "no module named nbclient"},
		"babbles":    {"echo hello", `the driver said "hello"`},
		"unwritten":  {canned, "broke down"},
		"disk full":  {canned + `echo '{"event": "failed", "cell": 2, "kind": "error", "source": "x"}'; echo no space left >&2; exit 1`, "no space left"},
		"talks on":   {"echo hello; yes | head -c 1000000; exit 1", `the driver said "hello"`},
	} {
		out, err := runWith(t, t.Context(), c.script, Options{}, "a.ipynb")
		if !errors.Is(err, ErrFailed) || !strings.Contains(out, c.expected) {
			t.Errorf("%s: the error is %v, and this was said; expected %q:\n%s", name, err, c.expected, out)
		}
	}
}

// TestRunInterrupted has the driver answer an interrupt as ours does.
func TestRunInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	started := filepath.Join(t.TempDir(), "started")
	go func() {
		for {
			if _, err := os.Stat(started); err == nil || ctx.Err() != nil {
				cancel()
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	out, err := runWith(t, ctx, `trap 'echo "{\"event\": \"failed\", \"cell\": 2, \"kind\": \"died\", \"source\": \"work()\"}"; echo "{\"event\": \"written\"}"; exit 1' INT
`+canned+"echo > "+started+"\nwhile :; do sleep 0.02; done", Options{}, "a.ipynb", "b.ipynb")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v, expected that of the context", err)
	}
	if !strings.Contains(out, "cell 2/2  interrupted") || !strings.Contains(out, "wrote ") || !strings.Contains(out, "0 passed, 1 failed") {
		t.Errorf("it said\n%s", out)
	}
}

func TestScreenOverwritesItsLastLine(t *testing.T) {
	var out bytes.Buffer
	s := &screen{w: &out, live: true}
	stop := s.running("cell 1/2")
	stop()
	s.printf("cell 1/2  ok")
	if got := out.String(); got != "\r\x1b[Kcell 1/2  running  0 s\r\x1b[Kcell 1/2  ok\n" {
		t.Errorf("it wrote %q", got)
	}
}

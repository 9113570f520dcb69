package notebook

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nami-flow/go-nami/kernel/internal/environment"
	"github.com/nami-flow/go-nami/kernel/internal/place/placetest"
)

// writer is a driver that passes, writes what ours would, and counts its runs.
const writer = `#!/bin/sh
job=$(cat)
field() { printf %s "$job" | sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/"; }
mkdir -p "$(dirname "$(field executed)")"
echo x >> COUNT
echo '{"executed": true}' > "$(field executed)"
echo page > "$(field page)"
echo '{"event": "kernel", "cells": 1}'
echo '{"event": "start", "cell": 1}'
echo '{"event": "done", "cell": 1, "seconds": 1}'
echo '{"event": "warning", "text": "half of it"}'
echo '{"event": "written"}'
`

func TestUnchangedNotebooksAreNotExecuted(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dir := t.TempDir()
	count := filepath.Join(dir, "count")
	path := placetest.Write(t, filepath.Join(dir, "a.ipynb"), notebookOf(t, "parameters", "var n = 1"))
	env := &environment.Environment{Python: placetest.Write(t, filepath.Join(dir, "python3"), strings.ReplaceAll(writer, "COUNT", count)), Scripted: dir}
	kept := Kept{Folder: filepath.Join(dir, "kept"), Key: "one"}
	runs := 0
	run := func(what string, executes bool, change func(o *Options)) string {
		t.Helper()
		var out bytes.Buffer
		o := Options{Timeout: time.Minute, Out: filepath.Join(t.TempDir(), "out"), Parallel: 1, Output: &out, Kept: kept}
		change(&o)
		if err := Run(t.Context(), env, []Source{{Path: path, Name: "a.ipynb"}}, o); err != nil {
			t.Fatalf("%s: %v\n%s", what, err, out.String())
		}
		if executes {
			runs++
		}
		counted, err := os.ReadFile(count)
		if err != nil || bytes.Count(counted, []byte("x")) != runs {
			t.Errorf("%s: the notebook was executed %d times, expected %d\n%s", what, bytes.Count(counted, []byte("x")), runs, out.String())
		}
		for name, expected := range map[string]string{"a.ipynb": "{\"executed\": true}\n", "a.html": "page\n"} {
			if text, err := os.ReadFile(filepath.Join(o.Out, name)); err != nil || string(text) != expected {
				t.Errorf("%s: %s holds %q, %v", what, name, text, err)
			}
		}
		return out.String()
	}
	same := func(*Options) {}
	run("the first", true, same)
	if out := run("the same", false, same); !strings.Contains(out, "unchanged since it passed in ") || !strings.Contains(out, "warning: half of it\n") || !strings.Contains(out, "1 passed, 0 failed, 1 unchanged\n") {
		t.Errorf("it said\n%s", out)
	}
	run("a parameter", true, func(o *Options) { o.Parameters = map[string]string{"n": "2"} })
	run("the parameter again", false, func(o *Options) { o.Parameters = map[string]string{"n": "2"} })
	run("another library", true, func(o *Options) { o.Kept.Key = "two" })
	run("forced", true, func(o *Options) { o.Kept.Fresh = true })
	run("not kept", true, func(o *Options) { o.Kept = Kept{} })

	placetest.Write(t, path, strings.Replace(notebookOf(t, "parameters", "var n = 1"), `"outputs":[]`, `"outputs":[{"output_type":"stream"}]`, 1))
	run("other outputs", false, same)
	placetest.Write(t, path, notebookOf(t, "parameters", "var n = 3"))
	run("another cell", true, same)

	entries, err := os.ReadDir(kept.Folder)
	if err != nil || len(entries) != 4 {
		t.Fatalf("kept: %v, %v; expected 4 results", entries, err)
	}
	for _, entry := range entries { // one is damaged, the others are old
		old := time.Now().Add(-forgotten - time.Hour)
		if err := os.Chtimes(filepath.Join(kept.Folder, entry.Name()), old, old); err != nil {
			t.Fatal(err)
		}
	}
	run("forgotten", true, same)
	if entries, err := os.ReadDir(kept.Folder); err != nil || len(entries) != 1 {
		t.Errorf("kept: %v, %v; expected the newest only", entries, err)
	}
	run("the same again", false, func(o *Options) { o.Rewrite = true })
	if text, err := os.ReadFile(path); err != nil || string(text) != "{\"executed\": true}\n" {
		t.Errorf("--write left %s, %v", text, err)
	}
}

// A notebook that read a file is unchanged as long as the file is: one that its code names, one
// that its program says it reads, and on Linux one that anybody reads in its folder.
func TestChangedFiles(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dir, elsewhere, bin := t.TempDir(), t.TempDir(), t.TempDir()
	count, told := filepath.Join(bin, "count"), filepath.Join(elsewhere, "told.csv")
	path := placetest.Write(t, filepath.Join(dir, "a.ipynb"), notebookOf(t, "", "%%\ndata.Read(\"named.csv\", \"later.csv\", \"no file\")"))
	for _, file := range []string{told, filepath.Join(dir, "named.csv"), filepath.Join(dir, "deep/seen.csv"), filepath.Join(dir, "deep/other.csv"), filepath.Join(dir, "log.txt")} {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		placetest.Write(t, file, "1\n")
	}
	script := strings.ReplaceAll(writer, "COUNT", count) + "echo " + told + ` >> "$NAMI_READS"; cat ` + dir + "/deep/seen.csv > /dev/null; echo more >> " + dir + "/log.txt\n"
	env := &environment.Environment{Python: placetest.Write(t, filepath.Join(bin, "python3"), script), Scripted: bin}
	o := Options{Timeout: time.Minute, Out: filepath.Join(dir, "build"), Parallel: 1, Kept: Kept{Folder: filepath.Join(bin, "kept"), Key: "one"}}
	runs := 0
	run := func(what, want string) {
		t.Helper()
		var out bytes.Buffer
		o.Output = &out
		if err := Run(t.Context(), env, []Source{{Path: path, Name: "a.ipynb"}}, o); err != nil {
			t.Fatalf("%s: %v\n%s", what, err, out.String())
		}
		counted, err := os.ReadFile(count)
		if executed := bytes.Count(counted, []byte("x")) - runs; err != nil || (executed == 0) != strings.Contains(want, "unchanged") || !strings.Contains(out.String(), want) {
			t.Errorf("%s: executed %d times, %v, expected %q\n%s", what, executed, err, want, out.String())
		}
		runs = bytes.Count(counted, []byte("x"))
	}
	run("the first", "1 passed")
	run("the same", "1 unchanged")
	placetest.Write(t, filepath.Join(dir, "deep/other.csv"), "2\n")
	run("a file that nobody reads, and one that it writes", "1 unchanged")
	placetest.Write(t, filepath.Join(dir, "named.csv"), "2\n")
	run("a file that is named", "named.csv has changed since it passed")
	run("the same again", "1 unchanged")
	placetest.Write(t, filepath.Join(dir, "later.csv"), "2\n")
	run("a file that wasn't there", "later.csv has changed")
	placetest.Write(t, told, "2\n")
	run("a file that is told", "told.csv has changed")
	if err := os.Remove(told); err != nil {
		t.Fatal(err)
	}
	run("a file that is gone", "told.csv has changed")
	if runtime.GOOS == "linux" {
		placetest.Write(t, filepath.Join(dir, "deep/seen.csv"), "2\n")
		run("a file that is read", "seen.csv has changed")
	}
	placetest.Write(t, filepath.Join(dir, "go.mod"), "module mine\n")
	run("a module around it", "1 passed")
	placetest.Write(t, filepath.Join(dir, "deep/deep.go"), "package deep\n")
	run("a package of its own", "1 passed")
	placetest.Write(t, filepath.Join(dir, "deep/deep_test.go"), "package deep\n")
	run("a test of the package", "1 unchanged")
}

// A result that failed is not kept.
func TestFailuresAreExecutedAgain(t *testing.T) {
	kept := Kept{Folder: filepath.Join(t.TempDir(), "kept"), Key: "one"}
	_, err := runWith(t, t.Context(), canned+`echo '{"event": "failed", "cell": 2, "kind": "error", "source": "x"}'; echo '{"event": "written"}'; exit 1`, Options{Kept: kept}, "a.ipynb")
	if !errors.Is(err, ErrFailed) {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(kept.Folder); len(entries) > 0 {
		t.Errorf("kept: %v", entries)
	}
}

// The report is what CI servers read: a suite with a case for each notebook.
func TestReport(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	start := time.Now()
	text, err := junit(ctx, []result{
		{source: Source{Name: "books/examples/a.ipynb"}, took: 1500 * time.Millisecond, ran: true},
		{source: Source{Name: "books/b.ipynb"}, took: time.Second, ran: true, err: errors.New("cell 2, line 3: f(x < 1)\n  \x01broken & \"dead\"")},
		{source: Source{Name: "c.ipynb"}, took: 90 * time.Second, ran: true, unchanged: true},
		{source: Source{Name: "d.ipynb"}},
	}, start)
	if err != nil {
		t.Fatal(err)
	}
	var report junitSuites
	if err := xml.Unmarshal(text, &report); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	suite := report.Suite
	if suite.Tests != 4 || suite.Failures != 1 || suite.Skipped != 1 || len(suite.Cases) != 4 {
		t.Fatalf("the report is\n%s", text)
	}
	passed, failed, unchanged, skipped := suite.Cases[0], suite.Cases[1], suite.Cases[2], suite.Cases[3]
	if passed.Class != "books.examples" || passed.Name != "a" || passed.Time != "1.500" || passed.Failure != nil {
		t.Errorf("the case that passed is %+v", passed)
	}
	if failed.Failure == nil || failed.Failure.Message != "cell 2, line 3: f(x < 1)" || !strings.Contains(failed.Failure.Text, `broken & "dead"`) {
		t.Errorf("the case that failed is %+v", failed)
	}
	if unchanged.Time != "0.000" || unchanged.Out != "unchanged since it passed in 90.000 s" {
		t.Errorf("the unchanged case is %+v", unchanged)
	}
	if skipped.Skipped == nil || skipped.Skipped.Message != context.Canceled.Error() {
		t.Errorf("the skipped case is %+v", skipped)
	}
}

func TestRunWritesTheReport(t *testing.T) {
	file := filepath.Join(t.TempDir(), "deep/report.xml")
	_, err := runWith(t, t.Context(), canned+`echo '{"event": "failed", "cell": 2, "kind": "error", "source": "os.Exit(3)"}'; echo '{"event": "written"}'; exit 1`, Options{Report: file}, "a.ipynb")
	text, readErr := os.ReadFile(file)
	if !errors.Is(err, ErrFailed) || readErr != nil || !strings.Contains(string(text), `<failure message="cell 2, line 1: os.Exit(3)">`) {
		t.Errorf("%v, %v\n%s", err, readErr, text)
	}
}

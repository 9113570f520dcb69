//go:build slow

package kernel

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/tests/internal/checkout"
)

// What goes wrong in a notebook is told in plain words, and what ran is kept.
func TestKernelRun(t *testing.T) {
	kernel := checkout.BuildKernel(t)
	for name, c := range map[string]struct {
		args []string
		code int
		want []string
	}{
		"ok":         {nil, 0, []string{"cell 2/2  ok", "1 passed, 0 failed"}},
		"compile":    {nil, 1, []string{"cell 2, line 3: fmt.Println(missing)", "undefined: missing", "0 passed, 1 failed"}},
		"panic":      {nil, 1, []string{`cell 2, line 3: panic("the roof is on fire")`, "panic: the roof is on fire"}},
		"exit":       {nil, 1, []string{"cell 2, line 4: os.Exit(3)", "exit status 3"}},
		"shell":      {nil, 1, []string{"cell 2, line 1: !ls /no/such/folder", "the shell line failed, exit status", "No such file"}},
		"timeout":    {[]string{"--timeout", "20s"}, 1, []string{"cell 2", "longer than 20s", "--timeout"}}, // the other cell takes 0.4 s
		"parameters": {[]string{"--param", "steps=3", "--param", "name=ada"}, 0, []string{"1 passed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they wait more than they compute
			folder := t.TempDir()
			args := append([]string{"run", "--no-cache", "--out", folder, "kernel/testdata/" + name + ".ipynb"}, c.args...)
			out, code := kernel.Run(t, args...)
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

// A folder of notebooks, two at once, with a report; the second time only what failed
// is executed again, and the result is the same.
func TestKernelFolder(t *testing.T) {
	kernel := checkout.BuildKernel(t)
	dir, out := t.TempDir(), t.TempDir()
	for from, to := range map[string]string{"ok": "a/ok", "exit": "b/exit", "parameters": "parameters"} {
		text, err := os.ReadFile("../../kernel/testdata/" + from + ".ipynb")
		if err != nil {
			t.Fatal(err)
		}
		// A cell of this run's own: what earlier runs kept doesn't count.
		own := fmt.Appendf(nil, `"cells": [{"cell_type": "markdown", "metadata": {}, "source": "%d"},`, time.Now().UnixNano())
		text = bytes.Replace(text, []byte(`"cells": [`), own, 1)
		path := filepath.Join(dir, to+".ipynb")
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	report := filepath.Join(out, "report.xml")
	executed := filepath.Join(out, "a/ok.ipynb")
	var texts [2]string
	for i, want := range []string{"2 passed, 1 failed\n", "2 passed, 1 failed, 2 unchanged\n"} {
		said, code := kernel.Run(t, "run", "-j", "2", "--junit", report, "--out", out, dir)
		if code != 1 || !strings.Contains(said, want) {
			t.Errorf("exit code %d, expected 1 and %q:\n%s", code, want, said)
		}
		text, err := os.ReadFile(executed)
		if err := errors.Join(err, os.Remove(executed)); err != nil {
			t.Fatal(err)
		}
		texts[i] = string(text)
		xml, err := os.ReadFile(report)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`tests="3" failures="1"`, `classname="a" name="ok"`, `<failure message="cell 2, line 4: os.Exit(3)">`, "exit status 3"} {
			if !strings.Contains(string(xml), want) {
				t.Errorf("the report lacks %q:\n%s", want, xml)
			}
		}
	}
	if texts[0] != texts[1] || !strings.Contains(texts[0], `hello\n`) {
		t.Errorf("the notebook was written as\n%s\nand restored as\n%s", texts[0], texts[1])
	}
	if said, code := kernel.Run(t, "run", "--no-cache", "--out", out, filepath.Join(dir, "a/ok.ipynb")); code != 0 || !strings.Contains(said, "cell 2/2  ok") {
		t.Errorf("--no-cache: exit code %d\n%s", code, said)
	}
	if said, code := kernel.Run(t, "run", "--param", "steps=5", "--param", "name=bo", "--out", out, filepath.Join(dir, "parameters.ipynb")); code != 0 || !strings.Contains(said, "cell ") {
		t.Errorf("other parameters: exit code %d\n%s", code, said)
	}
}

// Two kernels at once, of one notebook and into one folder, don't get in each other's way.
func TestKernelTwice(t *testing.T) {
	kernel := checkout.BuildKernel(t)
	out := t.TempDir()
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			command := kernel.Command("run", "--no-cache", "--out", out, "kernel/testdata/ok.ipynb")
			if said, err := command.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, said)
			}
		})
	}
	group.Wait()
	if left, err := filepath.Glob(filepath.Join(out, "kernel/testdata/*")); err != nil || len(left) != 2 {
		t.Errorf("%v, %v is in the folder; expected the notebook and its page", left, err)
	}
}

// Ctrl-C ends the kernel and what it runs, and keeps what was executed.
func TestKernelInterrupted(t *testing.T) {
	kernel := checkout.BuildKernel(t)
	install(t, kernel)
	dir := t.TempDir()
	started, path := filepath.Join(dir, "started"), filepath.Join(dir, "slow.ipynb")
	quick := "import (\"fmt\"; \"os\"; \"time\")\n\n%%\nfmt.Println(\"begun\")"
	slow := fmt.Sprintf(`%%%%
if err := os.WriteFile(%q, []byte(fmt.Sprint(os.Getpid())), 0o644); err != nil { panic(err) }
time.Sleep(time.Hour)`, started)
	cells, err := json.Marshal(map[string]any{"nbformat": 4, "nbformat_minor": 4, "metadata": map[string]any{}, "cells": []any{
		map[string]any{"cell_type": "code", "source": quick},
		map[string]any{"cell_type": "code", "source": slow},
	}})
	if err := errors.Join(err, os.WriteFile(path, cells, 0o644)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", t.TempDir())

	command := kernel.Command("run", "--out", filepath.Join(dir, "out"), path)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	var pid int
	for pid == 0 {
		select {
		case err := <-ended:
			t.Fatalf("it ended before the interrupt: %v\n%s", err, out.String())
		case <-time.After(20 * time.Millisecond):
		}
		if text, err := os.ReadFile(started); err == nil {
			pid, _ = strconv.Atoi(string(text)) // empty while it is written
		}
	}
	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-ended
	if code := command.ProcessState.ExitCode(); code != 130 || !strings.Contains(out.String(), "cell 2/2  interrupted") {
		t.Errorf("exit code %d, expected 130\n%s", code, out.String())
	}
	if executed, err := os.ReadFile(filepath.Join(dir, "out/slow.ipynb")); err != nil || !strings.Contains(string(executed), `begun\n`) {
		t.Errorf("the partly executed notebook is %v\n%s", err, executed)
	}
	// It was told to end, which may take a moment.
	begin := time.Now()
	for ; syscall.Kill(pid, 0) == nil; time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > 2*time.Minute {
			t.Fatalf("the cell's program %d runs on", pid)
		}
	}
	t.Logf("the cell's program ended %v after the command", time.Since(begin))
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("%v, %v is left behind", left, err)
	}
}

// --write makes a notebook ready to commit, and leaves one that fails alone.
func TestKernelWrite(t *testing.T) {
	kernel := checkout.BuildKernel(t)
	for name, passes := range map[string]bool{"ok": true, "panic": false} {
		text, err := os.ReadFile("../../kernel/testdata/" + name + ".ipynb")
		path := filepath.Join(t.TempDir(), name+".ipynb")
		if err := errors.Join(err, os.WriteFile(path, text, 0o644)); err != nil {
			t.Fatal(err)
		}
		runs := 1
		if passes {
			runs = 2
		}
		written := make([]string, runs)
		for i := range written {
			if out, code := kernel.Run(t, "run", "--no-cache", "--write", "--out", t.TempDir(), path); (code == 0) != passes {
				t.Fatalf("exit code %d\n%s", code, out)
			}
			now, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			written[i] = string(now)
		}
		switch {
		case !passes && written[0] != string(text):
			t.Errorf("the notebook that failed was changed to\n%s", written[0])
		case passes && !strings.Contains(written[0], `hello\n`):
			t.Errorf("the notebook has no outputs:\n%s", written[0])
		case passes && written[0] != written[1]:
			t.Errorf("a second run changes it from\n%s\nto\n%s", written[0], written[1])
		}
	}
}

// install makes the environment, and leaves the user's own Jupyter as it is.
func install(t *testing.T, kernel checkout.Kernel) {
	t.Helper()
	t.Setenv("JUPYTER_DATA_DIR", t.TempDir())
	if out, code := kernel.Run(t, "install"); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
}

// A second installation finds nothing to do, and says so.
func TestInstallTwice(t *testing.T) {
	kernel := checkout.BuildKernel(t)
	install(t, kernel)
	start := time.Now()
	if out, code := kernel.Run(t, "install"); code != 0 || strings.Count(out, "\n") != 1 {
		t.Errorf("exit code %d, expected one line:\n%s", code, out)
	}
	t.Logf("it took %v", time.Since(start))
}

// The doctor finds nothing wrong where a notebook has run, and lists the devices that a
// program gets.
func TestDoctor(t *testing.T) {
	kernel := checkout.BuildKernel(t)
	install(t, kernel)
	out, code := kernel.Run(t, "doctor")
	parts := []string{"Go ", "C compiler", "cache folder", "GoNB", "goimports", "gopls", "kernel", "Jupyter", "backend", "XLA plugin", "devices"}
	backend := nami.MustBackend()
	if backend.Name() == "xla" {
		parts = append(parts, "PJRT v")
		devices := regexp.MustCompile(`(?m)^devices .*$`).FindString(out)
		if n := strings.Count(devices, "cpu:"); n != backend.NumDevices() {
			t.Errorf("it lists %d devices, and a program has %d: %s", n, backend.NumDevices(), devices)
		}
	}
	for _, part := range parts {
		if !strings.Contains(out, part) {
			t.Errorf("the table lacks %s:\n%s", part, out)
		}
	}
	if code != 0 {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

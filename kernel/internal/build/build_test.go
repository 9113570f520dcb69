package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// goCommand is the real go, and the settings of cells.
func goCommand(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NAMI_CACHE", t.TempDir())
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOWORK", "")
	return path
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// A program is built as go did the last time, as long as nothing has changed that it depends
// on; and it can import what is beside the notebook.
func TestBuild(t *testing.T) {
	real := goCommand(t)
	folder, mine := t.TempDir(), t.TempDir()
	write(t, filepath.Join(folder, "go.mod"), "module gonb_1\n\ngo 1.26\n")
	write(t, filepath.Join(folder, "go.work"), "go 1.26\n\nuse .\n")
	write(t, filepath.Join(mine, "go.mod"), "module mine\n\ngo 1.26\n")
	write(t, filepath.Join(mine, "helpers/helpers.go"), "package helpers\n\nfunc Help() string { return \"helped\" }\n")
	write(t, filepath.Join(mine, "notebooks/a.ipynb"), "{}")
	t.Chdir(folder)
	t.Setenv("GONB_TMP_DIR", folder)
	t.Setenv("GONB_DIR", filepath.Join(mine, "notebooks"))
	out := filepath.Join(folder, "gonb_1")
	run := func(program, want string, known bool) {
		t.Helper()
		write(t, "main.go", program)
		useModule(real, os.Getenv("GONB_DIR"))
		p, err := readCell(real)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.known() != nil; got != known {
			t.Errorf("it is %v that there is a plan for\n%s", got, program)
		}
		if code, done := cell(real, []string{"build", "-o", out}); code != 0 || !done {
			t.Fatalf("exit code %d, %v, for\n%s", code, done, program)
		}
		said, err := exec.Command(out).CombinedOutput()
		if err != nil || string(said) != want {
			t.Errorf("it said %q, %v; expected %q", said, err, want)
		}
	}
	const head = "package main\n\nimport (\n\t\"mine/helpers\"\n\t\"os\"\n)\n\nfunc main() { os.Stdout.WriteString(helpers.Help()"
	run(head+") }\n", "helped", false)
	// The packages are in Go's cache now, which a plan needs.
	write(t, "main.go", head+" + \"?\") }\n")
	if p, err := readCell(real); err != nil {
		t.Fatal(err)
	} else if err := p.learn(out); err != nil {
		t.Fatal(err)
	}
	run(head+" + \"!\") }\n", "helped!", true)
	run("package main\n\nimport \"os\"\n\nfunc main() { os.Stdout.WriteString(\"less\") }\n", "less", true)
	run("package main\n\nimport (\n\t\"encoding/csv\"\n\t\"os\"\n)\n\nvar _ csv.Reader\n\nfunc main() { os.Stdout.WriteString(\"more\") }\n", "more", false)
	// A package that has changed since.
	write(t, filepath.Join(mine, "helpers/helpers.go"), "package helpers\n\nfunc Help() string { return \"helped again\" }\n")
	run(head+") }\n", "helped again", false)
	write(t, "main.go", head+" + \"?\") }\n")
	if p, err := readCell(real); err != nil {
		t.Fatal(err)
	} else if err := p.learn(out); err != nil {
		t.Fatal(err)
	}
	run(head+") }\n", "helped again", true)
	// A file more, and another setting.
	write(t, filepath.Join(mine, "helpers/more.go"), "package helpers\n")
	run(head+") }\n", "helped again", false)
	t.Setenv("GOFLAGS", "-ldflags=-s")
	run(head+") }\n", "helped again", false)

	// What doesn't compile is said as go says it.
	t.Setenv("GOFLAGS", "")
	write(t, "main.go", "package main\n\nimport \"os\"\n\nfunc main() { os.Stdout.WriteString(missing) }\n")
	p, err := readCell(real)
	if err != nil {
		t.Fatal(err)
	}
	l := p.known()
	if l == nil {
		t.Fatal("there is no plan")
	}
	var said bytes.Buffer
	err = l.build(out, &said)
	theirs, _ := exec.Command(real, "build", "-o", out).CombinedOutput() // fails
	if !errors.Is(err, errRefused) || said.String() != string(theirs) {
		t.Errorf("the error is %v and it said\n%s\ngo says\n%s", err, said.String(), theirs)
	}
	if left, err := filepath.Glob(filepath.Join(os.TempDir(), "nami-build-*")); err != nil || slices.ContainsFunc(left, func(dir string) bool {
		info, err := os.Stat(dir)
		return err == nil && time.Since(info.ModTime()) < time.Minute && os.Remove(dir) == nil
	}) {
		t.Errorf("%v, %v is left behind", left, err)
	}
}

// What isn't asked for a cell is for go.
func TestNotForCells(t *testing.T) {
	real := goCommand(t)
	folder := t.TempDir()
	t.Setenv("GONB_TMP_DIR", folder)
	for _, args := range [][]string{{"get"}, {"build", "-o", "x"}} {
		if _, done := cell(real, args); done {
			t.Errorf("%v elsewhere isn't left to go", args)
		}
	}
	t.Chdir(folder)
	for _, args := range [][]string{nil, {"version"}, {"get", "example.com/x"}, {"build", "-o", "x"}, {"build", "-race", "-o", "x"}} {
		if _, done := cell(real, args); done {
			t.Errorf("%v isn't left to go", args)
		}
	}
	if code, done := cell(real, []string{"get"}); code != 0 || !done {
		t.Error("go get isn't left out")
	}
	t.Setenv("GOPROXY", "direct")
	if _, done := cell(real, []string{"get"}); done {
		t.Error("go get is left out where there is a network")
	}
	for name, text := range map[string]string{"other.go": "package main\n", "x.c": "int x;\n"} {
		write(t, "main.go", "package main\n\nfunc main() {}\n")
		write(t, name, text)
		if _, err := readCell(real); err == nil {
			t.Errorf("%s isn't seen", name)
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	for _, program := range []string{"package main\n\nimport \"C\"\n", "package main\n\nimport _ \"embed\"\n\n//go:embed x\nvar x string\n", "package main\n\nimport (\n"} {
		write(t, "main.go", program)
		if _, err := readCell(real); err == nil {
			t.Errorf("taken for a plain program:\n%s", program)
		}
	}
}

// A module that can't stand beside the others is left out, with a word.
func TestModuleLeftOut(t *testing.T) {
	real := goCommand(t)
	folder, other, copied := t.TempDir(), t.TempDir(), t.TempDir()
	write(t, filepath.Join(folder, "go.mod"), "module gonb_1\n\ngo 1.26\n")
	write(t, filepath.Join(other, "go.mod"), "module mine\n\ngo 1.26\n")
	write(t, filepath.Join(copied, "go.mod"), "module mine\n\ngo 1.26\n")
	broken := filepath.Join(t.TempDir(), "broken")
	write(t, filepath.Join(broken, "go.mod"), "module broken\n\ngo 1.26\n\nrequire example.com/x v0.0.0-x\n")
	t.Chdir(folder)
	work := "go 1.26\n\nuse (\n\t.\n\t" + other + "\n)\n"
	for _, dir := range []string{other, copied, broken} {
		write(t, "go.work", work)
		useModule(real, dir)
		if text, err := os.ReadFile("go.work"); err != nil || string(text) != work {
			t.Errorf("with %s go.work became\n%s%v", dir, text, err)
		}
	}
}

func TestSplit(t *testing.T) {
	got, err := split(`GOROOT='/a b' /go/compile -trimpath "$WORK/b001=>" -p main  ./main.go`)
	want := []string{"GOROOT=/a b", "/go/compile", "-trimpath", "$WORK/b001=>", "-p", "main", "./main.go"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; expected %q", got, err, want)
	}
	for _, line := range []string{`a "b`, `a\ b`} {
		if got, err := split(line); err == nil {
			t.Errorf("%s became %q", line, strings.Join(got, "|"))
		}
	}
}

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nami-flow/go-nami/internal/workspace"
)

// program is the cell's program that is to be built.
type program struct {
	real    string // the go command
	imports []string
	modules workspace.Modules
	plans   string // the folder of plans
	key     string // of plans that may fit
}

// plan is how go built a program: two commands, with $WORK for a folder of their own, and the
// packages that they were given. It fits other programs that import no others.
type plan struct {
	Compile, Link []string
	Packages      string            // the file importcfg.link, without the program itself
	Local         map[string]string // the folders of packages that can be edited, and what is in them
}

// readCell reads what a program imports.
func readCell(real string) (*program, error) {
	names, err := filepath.Glob("*.*")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if kind := filepath.Ext(name); name != "main.go" && slices.Contains([]string{".go", ".c", ".s", ".S", ".cc", ".cpp", ".h", ".syso"}, kind) && !strings.HasSuffix(name, "_test.go") {
			return nil, fmt.Errorf("%s is part of the program", name)
		}
	}
	text, err := os.ReadFile("main.go")
	if err != nil {
		return nil, err
	}
	if regexp.MustCompile(`(?m)^//(go:(embed|linkname|build)|export|line) `).Match(text) {
		return nil, errors.New("the program has directives")
	}
	file, err := parser.ParseFile(token.NewFileSet(), "main.go", text, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	p := &program{real: real}
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		if path == "C" {
			return nil, errors.New("the program has C in it")
		}
		p.imports = append(p.imports, path)
	}
	work, err := os.ReadFile("go.work")
	if err != nil {
		return nil, err
	}
	if p.modules, err = workspace.Read("go.work"); err != nil {
		return nil, err
	}
	cache := os.Getenv("NAMI_CACHE")
	if cache == "" {
		return nil, errors.New("NAMI_CACHE isn't set")
	}
	p.plans = filepath.Join(cache, "plans")
	return p, p.makeKey(string(work))
}

// makeKey makes the key: of all that go's commands depend on besides the packages' files.
func (p *program) makeKey(work string) error {
	hash := sha256.New()
	info, err := os.Stat(p.real)
	if err != nil {
		return err
	}
	fmt.Fprintln(hash, p.real, info.Size(), info.ModTime().UnixNano(), work)
	for _, setting := range os.Environ() {
		name, _, _ := strings.Cut(setting, "=")
		if strings.HasPrefix(name, "GO") && !strings.HasPrefix(name, "GONB") && name != "GOMLX_BACKEND" || strings.HasPrefix(name, "CGO") || name == "CC" || name == "CXX" || name == "AR" || name == "PKG_CONFIG" {
			fmt.Fprintln(hash, setting)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(p.modules)) {
		for _, name := range []string{"go.mod", "go.sum"} {
			text, err := os.ReadFile(filepath.Join(p.modules[path], name))
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			fmt.Fprintln(hash, path, p.modules[path], len(text), string(text))
		}
	}
	p.key = hex.EncodeToString(hash.Sum(nil))[:20]
	return nil
}

// known is a plan that fits the program, nil if there is none.
func (p *program) known() *plan {
	names, err := filepath.Glob(filepath.Join(p.plans, p.key+"-*.json"))
	if err != nil {
		return nil
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		var found plan
		if json.Unmarshal(text, &found) != nil {
			continue
		}
		if found.fits(p) {
			now := time.Now()
			_ = os.Chtimes(name, now, now) // one that can't be touched is only dropped sooner
			return &found
		}
	}
	return nil
}

var packageFile = regexp.MustCompile(`(?m)^packagefile ([^=\n]+)=(.+)$`)

// fits says whether the plan's packages are all there, unchanged, and all that the program
// imports are among them.
func (l *plan) fits(p *program) bool {
	files := map[string]string{}
	for _, found := range packageFile.FindAllStringSubmatch(l.Packages, -1) {
		files[found[1]] = found[2]
	}
	for _, path := range p.imports {
		if files[path] == "" && path != "unsafe" {
			return false
		}
	}
	for _, file := range files {
		if _, err := os.Stat(file); err != nil {
			return false // Go's cache was emptied
		}
	}
	for dir, content := range l.Local {
		if now, err := contents(dir); err != nil || now != content {
			return false
		}
	}
	return true
}

// contents is what is in a package's folder: a hash of the names, sizes and times of its
// files, and of those in folders below that are no packages, as they may be embedded.
func contents(dir string) (string, error) {
	hash := sha256.New()
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if path == dir {
				return nil
			}
			inside, err := filepath.Glob(filepath.Join(path, "*.go"))
			if err == nil && (len(inside) > 0 || strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata") {
				err = filepath.SkipDir
			}
			return err
		}
		info, err := entry.Info()
		if err == nil {
			fmt.Fprintln(hash, path, info.Size(), info.ModTime().UnixNano())
		}
		return err
	})
	return hex.EncodeToString(hash.Sum(nil)), err
}

// errRefused is the error of a program that doesn't compile. Why has been said.
var errRefused = errors.New("the program doesn't compile")

// build builds the program, and says what the compiler says.
func (l *plan) build(out string, said io.Writer) error {
	work, err := os.MkdirTemp("", "nami-build-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }() // a folder of temporary files
	main := filepath.Join(work, "b001", "_pkg_.a")
	if err := errors.Join(
		os.MkdirAll(filepath.Join(work, "b001", "exe"), 0o700),
		os.WriteFile(filepath.Join(work, "b001", "importcfg"), []byte(strings.Join(packageFile.FindAllString(l.Packages, -1), "\n")), 0o600),
		os.WriteFile(filepath.Join(work, "b001", "importcfg.link"), []byte("packagefile main="+main+"\n"+l.Packages), 0o600),
	); err != nil {
		return err
	}
	run := func(command []string) ([]byte, error) {
		args := slices.Clone(command)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "$WORK", work)
		}
		cmd := exec.Command(args[0], args[1:]...)
		// The linker uses little memory for what it does, and is quicker where none of it is
		// collected.
		cmd.Env = append(os.Environ(), "GOGC=off")
		return cmd.CombinedOutput()
	}
	note := clock()
	text, err := run(l.Compile)
	note("compile")
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && bytes.HasPrefix(text, []byte("./main.go:")):
		fmt.Fprintf(said, "# %s\n%s", filepath.Base(out), text)
		return errRefused
	case err != nil:
		return err
	}
	if _, err := run(l.Link); err != nil {
		return err
	}
	note("link")
	return move(filepath.Join(work, "b001", "exe", "a.out"), out)
}

// clock returns a function that notes how long something took that ends now, and when it
// began, in the file that NAMI_TIMES names: tests/bench measures cells so.
func clock() (note func(what string)) {
	file, before := os.Getenv("NAMI_TIMES"), time.Now()
	return func(what string) {
		if file == "" {
			return
		}
		now := time.Now()
		if f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
			fmt.Fprintf(f, "%s %d %d\n", what, before.UnixNano(), now.UnixNano())
			_ = f.Close() // a benchmark misses a line
		}
		before = now
	}
}

// move moves a file, to another file system too.
func move(from, to string) error {
	if os.Rename(from, to) == nil {
		return nil
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	_ = os.Remove(to) // or it is the program that runs
	return os.WriteFile(to, text, 0o755)
}

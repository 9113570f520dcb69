package nb

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/nami-flow/go-nami/internal/reads"
	"github.com/nami-flow/go-nami/internal/workspace"
)

// outside adds what a value depends on outside the notebook's code: packages that can be
// edited, the versions of others, and the settings of nami, GoMLX and XLA.
func (c *closure) outside() error {
	modules, err := workspace.Read(filepath.Join(os.Getenv("GONB_TMP_DIR"), "go.work"))
	if err != nil {
		return err
	}
	for path, dir := range modules {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err != nil {
			return err
		}
		c.parts["go.mod of "+path] = hash(string(text))
	}
	for _, file := range c.files {
		for _, spec := range file.Imports {
			if spec.Name != nil && spec.Name.Name == "." { // whatever it declares has no mark of it
				if path, err := strconv.Unquote(spec.Path.Value); err == nil {
					c.imports[path] = true
				}
			}
		}
	}
	pending := []string{}
	for path := range c.imports {
		pending = append(pending, path)
	}
	seen := map[string]bool{}
	for len(pending) > 0 {
		path := pending[0]
		pending = pending[1:]
		dir, ours := modules.Folder(path)
		if seen[path] || !ours {
			continue
		}
		seen[path] = true
		text, imports, err := readPackage(dir)
		if err != nil {
			return err
		}
		c.parts["package "+path] = text
		pending = append(pending, imports...)
	}
	var settings []string
	for _, setting := range os.Environ() {
		name, _, _ := strings.Cut(setting, "=")
		if name == keptFolder || name == reads.Variable || name == "NAMI_CACHE" || name == "NAMI_STATE" || name == "NAMI_GO" {
			continue
		}
		if strings.HasPrefix(name, "NAMI_") || strings.HasPrefix(name, "GOMLX_") || strings.HasPrefix(name, "XLA_") {
			settings = append(settings, setting)
		}
	}
	slices.Sort(settings)
	c.parts["a variable NAMI_*, GOMLX_* or XLA_*"] = hash(settings...)
	return nil
}

// readPackage is a hash of a package's files, and what they import. Of files that it embeds
// size and time count.
func readPackage(dir string) (text string, imports []string, err error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return "", nil, err
	}
	var texts []string
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return "", nil, err
		}
		texts = append(texts, filepath.Base(name), string(content))
		file, err := parser.ParseFile(token.NewFileSet(), name, content, parser.ImportsOnly)
		if err != nil {
			return "", nil, err
		}
		for _, spec := range file.Imports {
			if path, err := strconv.Unquote(spec.Path.Value); err == nil {
				imports = append(imports, path)
			}
		}
		if strings.Contains(string(content), "\n//go:embed ") {
			embedded, err := states(dir)
			if err != nil {
				return "", nil, err
			}
			texts = append(texts, embedded...)
		}
	}
	return hash(texts...), imports, nil
}

// states are what the files below a folder are like.
func states(dir string) (all []string, err error) {
	err = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			all = append(all, path, stateOf(path))
		}
		return err
	})
	return all, err
}

// stale says what has changed of the code that a kept value depends on, as far as a program
// that doesn't make it shows: the declarations that it has, and packages. Empty if nothing
// has.
func (a about) stale(file string) (changed string, err error) {
	s, err := readSource(filepath.Dir(file))
	if err != nil {
		return "", err
	}
	c := &closure{source: s, parts: map[string]string{}, seen: map[ast.Node]bool{}, imports: map[string]bool{}}
	for _, all := range s.named {
		for _, d := range all {
			c.parts[d.what] = c.hash(d.node)
		}
	}
	for part := range a.Code {
		if path, ok := strings.CutPrefix(part, "package "); ok {
			c.imports[path] = true
		}
		if name, ok := strings.CutPrefix(part, "the variable "); ok {
			c.parts[part] = hash(os.Getenv(name))
		}
		if name, ok := strings.CutPrefix(part, "the file "); ok {
			c.parts[part] = stateOf(name)
		}
	}
	if call, _, err := s.call(runtime.Frame{}, a.Name); err == nil { // its function is known to this cell, too
		c.parts[whatMakes] = c.hash(call.Args[1])
	}
	if err := c.outside(); err != nil {
		return "", err
	}
	var parts []string
	for part, was := range a.Code {
		switch {
		case strings.HasPrefix(part, givenValue), part == whatMakes && c.parts[part] == "", part == whatIsAbove, part == whatIsAsked:
		case c.parts[part] != was:
			parts = append(parts, part)
		}
	}
	if len(parts) > 0 {
		return hasChanged(parts), nil
	}
	return a.newFiles(), nil
}

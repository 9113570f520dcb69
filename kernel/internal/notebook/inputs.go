package notebook

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"go/scanner"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nami-flow/go-nami/internal/workspace"
	"github.com/nami-flow/go-nami/kernel/internal/ipynb"
)

// inputs are the files that a notebook depends on, and what they were like when it had run:
// its result counts as long as they still are. Their names are those below the notebook's
// folder, or whole paths.
type inputs map[string]string

// changed names a file that has changed since; empty if none has.
func (in inputs) changed(folder string) string {
	for name, state := range in {
		if stateOf(folder, name) != state {
			return name
		}
	}
	return ""
}

// add notes a file as it is now.
func (in inputs) add(folder, name string) {
	if filepath.IsAbs(name) {
		if inside, err := filepath.Rel(folder, name); err == nil && filepath.IsLocal(inside) {
			name = inside
		}
	}
	in[name] = stateOf(folder, name)
}

const (
	absent   = "absent"
	touched  = "changed while the notebook ran" // like no state
	hashable = 64 << 20                         // of larger files size and time tell
)

// stateOf tells a file from one with another content.
func stateOf(folder, name string) string {
	if !filepath.IsAbs(name) {
		name = filepath.Join(folder, name)
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return absent
	case err != nil:
		return err.Error()
	case !info.Mode().IsRegular():
		return info.Mode().Type().String()
	case info.Size() > hashable:
		return fmt.Sprint(info.Size(), " bytes, ", info.ModTime().UnixNano())
	}
	file, err := os.Open(name)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = file.Close() }() // only read
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return err.Error()
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// fileName is what a string must be like to count as the name of a file that isn't there.
var fileName = regexp.MustCompile(`^[\w./~+-]*[\w-]\.[A-Za-z]\w{0,7}$`)

// named are the files that stand in the code of a notebook: strings in Go, and words of shell
// lines, that are names of files, or look like some that aren't there yet.
func named(path string) (names []string, err error) {
	n, err := ipynb.Read(path)
	if err != nil {
		return nil, err
	}
	folder := filepath.Dir(path)
	try := func(name string, mayLack bool) {
		if name == "" || len(name) > 1024 || strings.ContainsAny(name, "\n\x00") || slices.Contains(names, name) {
			return
		}
		at := name
		if !filepath.IsAbs(at) {
			at = filepath.Join(folder, at)
		}
		info, err := os.Stat(at)
		if err == nil && info.Mode().IsRegular() || errors.Is(err, fs.ErrNotExist) && mayLack && fileName.MatchString(name) {
			names = append(names, name)
		}
	}
	for _, cell := range n.Cells {
		if cell.Type != "code" {
			continue
		}
		script := strings.HasPrefix(string(cell.Source), "%%") && !strings.HasPrefix(string(cell.Source), "%%\n")
		for line := range strings.Lines(string(cell.Source)) {
			if script || strings.HasPrefix(line, "!") {
				for _, word := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\n!'\"<>|;&=()", r) }) {
					try(word, false)
				}
			}
		}
		var s scanner.Scanner
		set := token.NewFileSet()
		s.Init(set.AddFile("", set.Base(), len(cell.Source)), []byte(cell.Source), nil, 0)
		for {
			_, kind, text := s.Scan()
			if kind == token.EOF {
				break
			}
			if kind == token.STRING {
				if text, err := strconv.Unquote(text); err == nil {
					try(text, true)
				}
			}
		}
	}
	return names, nil
}

// told are the paths that the cells' programs have written into a list, a path a line.
func told(list string) (paths []string, err error) {
	file, err := os.Open(list)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if filepath.IsAbs(lines.Text()) {
			paths = append(paths, lines.Text())
		}
	}
	return paths, lines.Err()
}

// ownPackages are the texts of what a notebook can import beside the checkout: the Go files of
// the module that its folder is in.
func ownPackages(folder, checkout string) (texts []string, err error) {
	module := workspace.Around(folder)
	if module == "" || module == checkout {
		return nil, nil
	}
	err = filepath.WalkDir(module, func(path string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir():
			if path != module && (strings.HasPrefix(name, ".") || name == "testdata" || workspace.Around(path) != module) {
				return filepath.SkipDir
			}
		case filepath.Ext(name) == ".go" && !strings.HasSuffix(name, "_test.go"), name == "go.mod", name == "go.sum":
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			inside, err := filepath.Rel(module, path)
			texts = append(texts, inside, string(text))
			return err
		}
		return nil
	})
	return texts, err
}

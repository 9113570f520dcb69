// Package workspace knows which modules the cells of a notebook see: those that a file go.work
// uses.
package workspace

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Modules are the folders of modules, by their paths.
type Modules map[string]string

// Read reads a go.work as go writes it: a folder a line. The folder of go.work itself isn't
// among them.
func Read(file string) (Modules, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	modules, inside := Modules{}, false
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		switch rest, one := strings.CutPrefix(line, "use "); {
		case line == "use (":
			inside = true
			continue
		case line == ")":
			inside = false
			continue
		case one:
			line = rest
		case !inside:
			continue
		}
		dir := strings.Trim(line, "\"`")
		if dir == "" || dir == "." || strings.HasPrefix(dir, "//") {
			continue
		}
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(filepath.Dir(file), dir)
		}
		path, err := Path(dir)
		if err != nil {
			return nil, err
		}
		modules[path] = dir
	}
	return modules, nil
}

// Folder is the folder of a package that belongs to one of the modules; false if it doesn't.
func (m Modules) Folder(path string) (dir string, ok bool) {
	longest := -1
	for module, at := range m {
		rest, inside := strings.CutPrefix(path, module)
		if inside && (rest == "" || rest[0] == '/') && len(module) > longest {
			dir, longest = filepath.Join(at, filepath.FromSlash(rest)), len(module)
		}
	}
	return dir, longest >= 0
}

// Path is the path of the module in a folder.
func Path(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "//")
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "module "); ok {
			return strings.Trim(strings.TrimSpace(path), "\"`"), nil
		}
	}
	return "", fmt.Errorf("%s names no module", filepath.Join(dir, "go.mod"))
}

// Around is the folder, at or above another, that holds a module; empty if there is none.
func Around(folder string) string {
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return ""
		}
		folder = parent
	}
}

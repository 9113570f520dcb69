// Package notebook executes notebooks on the kernel from a script.
package notebook

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Source is a notebook to execute.
type Source struct {
	Path string // absolute
	Name string // path below the folder that executed notebooks go to
}

// Find lists the notebooks that paths name; folders are searched through, without
// hidden ones (Jupyter's checkpoints) and without out, where executed notebooks go. A
// notebook inside root keeps its path below root.
func Find(root, out string, paths []string) ([]Source, error) {
	out, err := filepath.Abs(out)
	if err != nil {
		return nil, err
	}
	var sources []Source
	add := func(path, base string) error {
		path, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		source := Source{Path: path, Name: name(root, base, path)}
		if slices.Contains(sources, source) {
			return nil
		}
		for _, other := range sources {
			if other.Name == source.Name {
				return fmt.Errorf("%s and %s would both be written to %s: run them one after the other, with another --out", other.Path, path, filepath.Join(out, source.Name))
			}
		}
		if filepath.Join(out, source.Name) == path {
			return fmt.Errorf("--out would replace %s by the executed notebook: give another folder, or use --write", path)
		}
		sources = append(sources, source)
		return nil
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return nil, fmt.Errorf("there is no notebook %s (%w): give a file that ends in .ipynb, or a folder that holds some", path, err)
		case info.IsDir():
			before := len(sources)
			if err := walk(path, out, func(found string) error { return add(found, path) }); err != nil {
				return nil, err
			}
			if len(sources) == before {
				return nil, fmt.Errorf("the folder %s holds no notebooks (*.ipynb) that aren't named already", path)
			}
		case filepath.Ext(path) != ".ipynb":
			return nil, fmt.Errorf("%s isn't a notebook: its name doesn't end in .ipynb", path)
		default:
			if err := add(path, filepath.Dir(path)); err != nil {
				return nil, err
			}
		}
	}
	return sources, nil
}

func walk(folder, out string, found func(path string) error) error {
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			absolute, err := filepath.Abs(path)
			if err != nil {
				return err
			}
			if path != folder && (strings.HasPrefix(entry.Name(), ".") || absolute == out) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) == ".ipynb" {
			return found(path)
		}
		return nil
	})
}

// name is path below root if it is inside, else below base.
func name(root, base, path string) string {
	resolved, err := filepath.EvalSymlinks(path)
	if err == nil {
		if relative, err := filepath.Rel(root, resolved); err == nil && filepath.IsLocal(relative) {
			return relative
		}
	}
	if base, err := filepath.Abs(base); err == nil {
		if relative, err := filepath.Rel(base, path); err == nil {
			return relative
		}
	}
	return filepath.Base(path)
}

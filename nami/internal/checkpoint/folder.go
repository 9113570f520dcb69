package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2/maybe"
)

// keep is how many checkpoints stay in a folder: the newest, and one to fall back to.
const keep = 2

const (
	filePrefix = "step-"
	fileSuffix = ".safetensors"
)

// Folder resolves a checkpoint's name: a relative one is below $NAMI_STATE if that is set.
func Folder(name string) string {
	if state := os.Getenv("NAMI_STATE"); state != "" && !filepath.IsAbs(name) {
		return filepath.Join(state, name)
	}
	return name
}

// Write adds the checkpoint after so many steps to a folder, whole or not at all, and then
// removes old ones.
func (c *Checkpoint) Write(folder string, steps int) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	file, err := c.Encode()
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%s%09d%s", filePrefix, steps, fileSuffix)
	if err := maybe.WriteFile(filepath.Join(folder, name), file, 0o644); err != nil {
		return err
	}
	// Newer files are there only if they can't be read: they stay, and count for nothing.
	var old []string
	for _, path := range list(folder) {
		if filepath.Base(path) < name {
			old = append(old, path)
		}
	}
	for _, path := range old[min(keep-1, len(old)):] {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// list names the checkpoints in a folder, the newest first.
func list(folder string) []string {
	found, _ := filepath.Glob(filepath.Join(escape(folder), filePrefix+"*"+fileSuffix)) // the pattern is well-formed
	slices.Sort(found)
	slices.Reverse(found)
	return found
}

// escape keeps a folder's own * and [ from being taken for a pattern.
func escape(folder string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(folder)
}

// read reads one checkpoint.
func read(path string) (*Checkpoint, error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c, err := Decode(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Newest reads the newest checkpoint in a folder that can be read. What is wrong with newer
// ones, which are left where they are, it notes. The error is [os.ErrNotExist] if the folder
// holds none.
func Newest(folder string) (*Checkpoint, error) {
	var failures []error
	for _, path := range list(folder) {
		c, err := read(path)
		if err == nil {
			for _, failure := range failures {
				c.Notes = append(c.Notes, fmt.Sprintf("a checkpoint that can't be read was passed over, for the one before it: %v", failure))
			}
			return c, nil
		}
		failures = append(failures, err)
		if errors.Is(err, ErrOlder) {
			break
		}
	}
	if len(failures) > 0 {
		return nil, fmt.Errorf("no checkpoint in %s can be read: %w; move the folder away, or choose another name", folder, errors.Join(failures...))
	}
	return nil, os.ErrNotExist
}

// Find reads the checkpoint at a path: a file, or the newest one in a folder. It is an error
// that says what is there if there is none.
func Find(at string) (*Checkpoint, error) {
	info, err := os.Stat(at)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("there is no folder and no file %s: expected the name that train.Checkpoint or train.Save was given, or a file in that folder", at)
	case err != nil:
		return nil, err
	case !info.IsDir():
		return read(at)
	}
	c, err := Newest(at)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("the folder %s holds no checkpoint, a file %s…%s: it holds %s", at, filePrefix, fileSuffix, contents(at))
	}
	return c, err
}

// contents lists up to five of the files in a folder.
func contents(folder string) string {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err.Error()
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if len(names) == 0 {
		return "nothing"
	}
	if n := len(names); n > 5 {
		names = append(names[:5], fmt.Sprintf("%d more", n-5))
	}
	return strings.Join(names, ", ")
}

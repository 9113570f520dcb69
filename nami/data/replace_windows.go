package data

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// replace writes a file beside its place, and then puts it there: Windows has no way to
// promise more.
func replace(path string, write func(io.Writer) error) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".nami-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if err := errors.Join(write(file), file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

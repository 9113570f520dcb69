// Package reads tells `kernel run` which files a notebook has read, so that it executes the
// notebook again when one of them changes.
package reads

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Variable is the name of the environment variable that holds the path of the file where
// `kernel run` wants to be told of files, a path a line. Whatever reads files for a notebook
// may append to it; it isn't set elsewhere.
const Variable = "NAMI_READS"

// Report appends the absolute path of a file to the file that [Variable] names, if it names
// one. The file itself isn't looked at, and needn't exist.
func Report(path string) error {
	list := os.Getenv(Variable)
	if list == "" {
		return nil
	}
	absolute, err := filepath.Abs(path)
	if err == nil {
		err = appendLine(list, absolute)
	}
	if err != nil {
		return fmt.Errorf("telling the file in $%s that %s is read: %w", Variable, path, err)
	}
	return nil
}

func appendLine(file, line string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, line)
	return errors.Join(err, f.Close())
}

// Package placetest makes files for tests.
package placetest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Write writes a file, in a folder that need not exist, and executable if it is a script. It
// returns the path.
func Write(t testing.TB, path, text string) string {
	t.Helper()
	mode := os.FileMode(0o644)
	if strings.HasPrefix(text, "#!") {
		mode = 0o755
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), mode)); err != nil {
		t.Fatal(err)
	}
	return path
}

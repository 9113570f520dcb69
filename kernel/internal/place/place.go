// Package place knows where things are: the checkout and the cache folder.
package place

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
)

var module = regexp.MustCompile(`(?m)^module\s+github\.com/nami-flow/go-nami\s*$`)

// Checkout is the root of nami's checkout that holds folder, with symbolic links
// resolved, so that one checkout has one name.
func Checkout(folder string) (string, error) {
	start, err := filepath.Abs(folder)
	if err != nil {
		return "", fmt.Errorf("the working folder can't be found: %w", err)
	}
	if start, err = filepath.EvalSymlinks(start); err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && module.Match(text) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s isn't inside a checkout of nami (no go.mod of github.com/nami-flow/go-nami there or above): change into one", start)
		}
	}
}

// Cache is nami's cache folder: $NAMI_CACHE, or nami in the user's cache folder. It
// need not exist.
func Cache() (string, error) {
	folder := os.Getenv("NAMI_CACHE")
	if folder == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("there is no cache folder (%w): set NAMI_CACHE to a folder that can be written", err)
		}
		folder = filepath.Join(base, "nami")
	}
	return filepath.Abs(folder)
}

// MakeWritable makes a folder, and writes a file there to see whether it can be
// written: a full disk and another user's folder show at the start, not after minutes.
func MakeWritable(folder string) error {
	err := func() error {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		file, err := os.CreateTemp(folder, ".writable-*")
		if err != nil {
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
		return os.Remove(file.Name())
	}()
	return unwritable(folder, err)
}

// Writable says as [MakeWritable] does whether a folder can be written, or made, and
// makes nothing.
func Writable(folder string) error {
	const write = 2 // W_OK of access(2)
	for at := folder; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if errors.Is(err, fs.ErrNotExist) && at != filepath.Dir(at) {
			continue
		}
		if err == nil && !info.IsDir() {
			err = fmt.Errorf("%s is no folder", at)
		}
		if err == nil {
			err = syscall.Access(at, write)
		}
		return unwritable(folder, err)
	}
}

func unwritable(folder string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the cache folder %s can't be written: %w: make it writable, or set NAMI_CACHE to a folder that is", folder, err)
}

// Exists says whether there is a file or folder at path; a broken link is none.
func Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Hash is a short name for the content of texts.
func Hash(texts ...string) string {
	sum := sha256.New()
	for _, text := range texts {
		fmt.Fprintf(sum, "%d:%s", len(text), text)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

package place

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/kernel/internal/place/placetest"
)

func TestCheckout(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	placetest.Write(t, filepath.Join(root, "go.mod"), "// why\nmodule github.com/nami-flow/go-nami\n\ngo 1.26\n")
	// A module inside the checkout, such as kernel/tools, is not the checkout.
	placetest.Write(t, filepath.Join(root, "kernel/tools/go.mod"), "module github.com/nami-flow/go-nami/kernel/tools\n")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(root, link); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{root, filepath.Join(root, "kernel/tools"), filepath.Join(link, "kernel")} {
		if got, err := Checkout(folder); err != nil || got != root {
			t.Errorf("Checkout(%s) = %q, %v; expected %s", folder, got, err, root)
		}
	}
	outside := t.TempDir()
	if got, err := Checkout(outside); err == nil || !strings.Contains(err.Error(), "change into one") {
		t.Errorf("Checkout(%s) = %q, %v; expected an error that says what to do", outside, got, err)
	}
}

func TestCache(t *testing.T) {
	t.Setenv("NAMI_CACHE", "/somewhere/else")
	if got, err := Cache(); err != nil || got != "/somewhere/else" {
		t.Errorf("Cache() = %q, %v", got, err)
	}
	t.Setenv("NAMI_CACHE", "")
	t.Setenv("HOME", "/home/someone")
	t.Setenv("XDG_CACHE_HOME", "")
	base, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Cache(); err != nil || got != filepath.Join(base, "nami") {
		t.Errorf("Cache() = %q, %v; expected nami in %s", got, err, base)
	}
}

func TestMakeWritable(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", "b")
	if err := MakeWritable(folder); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Errorf("it left %v, %v in the folder", left, err)
	}
	if err := Writable(filepath.Join(folder, "not", "yet")); err != nil || Exists(filepath.Join(folder, "not")) {
		t.Errorf("a folder that can be made: %v, and it was made: %v", err, Exists(filepath.Join(folder, "not")))
	}
	placetest.Write(t, filepath.Join(folder, "file"), "")
	// Below a file no folder can be made, whoever runs the test.
	for _, check := range []func(string) error{MakeWritable, Writable} {
		err := check(filepath.Join(folder, "file", "cache"))
		if err == nil || !strings.Contains(err.Error(), "set NAMI_CACHE") {
			t.Errorf("the error is %v; expected one that names NAMI_CACHE", err)
		}
	}
}

func TestHash(t *testing.T) {
	if Hash("ab", "c") == Hash("a", "bc") {
		t.Error("texts run into each other")
	}
	if once, again := Hash("a", "b"), Hash("a", "b"); once != again {
		t.Errorf("the same texts have the hashes %s and %s", once, again)
	}
}

package workspace

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// The modules of a go.work, and which of them a package belongs to.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	one, two, inside := filepath.Join(dir, "one"), filepath.Join(dir, "with space"), filepath.Join(dir, "one/inside")
	write(t, filepath.Join(one, "go.mod"), "// The first.\nmodule example.com/one // yes\n\ngo 1.26\n")
	write(t, filepath.Join(two, "go.mod"), "module \"two\"\n")
	write(t, filepath.Join(inside, "go.mod"), "module example.com/one/inside\n")
	file := filepath.Join(dir, "cell/go.work")
	for text, want := range map[string]Modules{
		"go 1.26\n\nuse .\n":                        {},
		"go 1.26\n\nuse ../one\n\nreplace a => b\n": {"example.com/one": one},
		"go 1.26\n\nuse (\n\t.\n\t" + one + "\n\t\"" + two + "\"\n\t// none\n\t" + inside + "\n)\n\nreplace (\n\ta => b\n)\n": {"example.com/one": one, "two": two, "example.com/one/inside": inside},
	} {
		write(t, file, text)
		got, err := Read(file)
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%q: got %v, %v; expected %v", text, got, err, want)
		}
	}
	write(t, file, "use (\n\t"+one+"\n\t"+inside+"\n)\n")
	modules, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"example.com/one":          one,
		"example.com/one/a/b":      filepath.Join(one, "a/b"),
		"example.com/one/inside/c": filepath.Join(inside, "c"),
		"example.com/one/insider":  filepath.Join(one, "insider"),
		"example.com/onerous":      "",
		"fmt":                      "",
	} {
		if got, ok := modules.Folder(path); got != want || ok != (want != "") {
			t.Errorf("%s is in %q, %v; expected %q", path, got, ok, want)
		}
	}
	for text, want := range map[string]string{"use ../nowhere\n": "no such file", "use ../empty\n": "names no module"} {
		write(t, filepath.Join(dir, "empty/go.mod"), "go 1.26\n")
		write(t, file, text)
		if _, err := Read(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: the error is %v, expected %q", text, err, want)
		}
	}
}

func TestAround(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "one/go.mod"), "module one\n")
	write(t, filepath.Join(dir, "one/a/b/c.go"), "package b\n")
	if got := Around(filepath.Join(dir, "one/a/b")); got != filepath.Join(dir, "one") {
		t.Errorf("the module is in %q", got)
	}
	if got := Around(dir); got != "" && strings.HasPrefix(got, dir) {
		t.Errorf("the module is in %q", got)
	}
}

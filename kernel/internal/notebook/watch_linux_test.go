package notebook

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// What is read is seen, however briefly, and what was changed after it; not what is only
// written, hidden, or left out.
func TestWatch(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"read", "written", "deep/er/read", "changed", "replaced", ".git/read", "out/read"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(at(name)), 0o755), os.WriteFile(at(name), []byte("1"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	w, warning, err := newWatch(dir, at("out"))
	if err != nil || warning != "" {
		t.Fatal(err, warning)
	}
	for _, name := range []string{"read", "deep/er/read", "changed", "replaced", ".git/read", "out/read"} {
		if _, err := os.ReadFile(at(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.WriteFile(at("written"), nil, 0o644), os.WriteFile(at("changed"), []byte("2"), 0o644), os.Rename(at("written"), at("replaced"))); err != nil {
		t.Fatal(err)
	}
	got, ok := w.end()
	want := map[string]bool{at("read"): false, at("deep/er/read"): false, at("changed"): true, at("replaced"): true}
	if !ok || !maps.Equal(got, want) {
		t.Errorf("it saw %v, %v; expected %v", got, ok, want)
	}
	if _, _, err := newWatch(at("nowhere")); err != nil {
		t.Errorf("a folder that isn't there: %v", err)
	}
}

package kernel

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/tests/internal/checkout"
)

// A short notebook is executed, where its environment is installed: it passes, and its page
// holds each picture, and all those of a slider.
func TestShortNotebook(t *testing.T) {
	kernel := checkout.BuildKernel(t)
	kernel.NeedEnvironment(t)
	dir := t.TempDir()
	if out, code := kernel.Run(t, "run", "--no-cache", "--out", dir, "kernel/testdata/short.ipynb"); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	executed, err := os.ReadFile(filepath.Join(dir, "kernel/testdata/short.ipynb"))
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "kernel/testdata/short.html"))
	if err != nil {
		t.Fatal(err)
	}
	const picture = `"data:image/png;base64,`
	for what, n := range map[string]int{
		`"image/png": "`:       2, // one shown, and one for where scripts don't run
		`src=\"data:image/png`: 3, // the slider's
		`computes on`:          2, // in the cell and in its output
	} {
		if got := strings.Count(string(executed), what); got != n {
			t.Errorf("%s is %d times in the notebook, expected %d", what, got, n)
		}
	}
	if got := strings.Count(string(page), "src="+picture); got != 4 {
		t.Errorf("the page has %d pictures, expected 4", got)
	}
}

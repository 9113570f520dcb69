// Package books tests the notebooks.
package books

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/tests/internal/checkout"
)

// The notebooks tell true stories: each runs to its end. Those that haven't changed since
// they passed cost nothing. In pure Go, and that alone, they take longer than a run of
// tests may: then those are left out for which there is no time.
func TestBooks(t *testing.T) {
	kernel := checkout.BuildKernel(t)
	pureGo := nami.MustBackend().Name() != "xla"
	const longest = 75 * time.Second // of one notebook
	for _, path := range checkout.Notebooks(t) {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			if end, limited := t.Deadline(); limited && time.Until(end) < longest {
				if pureGo {
					t.Skip("in pure Go there is no time left: `go run ./kernel run books` executes all notebooks")
				}
				t.Fatal("the time of this test run is nearly over: run `go run ./kernel run books` before, or test with -timeout 30m")
			}
			dir := t.TempDir()
			if out, code := kernel.Run(t, "run", "--out", dir, path); code != 0 {
				t.Fatalf("exit code %d\n%s", code, out)
			}
			executed := filepath.Join(dir, path)
			page, err := os.ReadFile(strings.TrimSuffix(executed, ".ipynb") + ".html")
			if err != nil {
				t.Fatal(err)
			}
			// The page holds each picture, and all those of a slider.
			if n, pictures := strings.Count(string(page), `src="data:image/png;base64,`), read(t, executed).pictures(); n < pictures {
				t.Errorf("the page has %d pictures, expected %d", n, pictures)
			}
		})
	}
}

// A reader on a code host sees a notebook as it was committed: with its outputs, with
// pictures, and without errors.
func TestCommittedNotebooks(t *testing.T) {
	for _, path := range checkout.Notebooks(t) {
		nb := read(t, filepath.Join("../..", path))
		for i, cell := range nb.Cells {
			if cell.Type == "code" && cell.Count == nil {
				t.Errorf("%s: cell %d was never run: `go run ./kernel run --write %s`", path, i+1, path)
			}
			for _, out := range cell.Outputs {
				if out.Type == "error" {
					t.Errorf("%s: cell %d has an error in its outputs", path, i+1)
				}
			}
		}
		if nb.pictures() == 0 {
			t.Errorf("%s: no cell shows a picture", path)
		}
	}
}

// notebook is what these tests look at.
type notebook struct {
	Cells []struct {
		Type    string `json:"cell_type"`
		Count   *int   `json:"execution_count"`
		Outputs []struct {
			Type string         `json:"output_type"`
			Data map[string]any `json:"data"`
		} `json:"outputs"`
	} `json:"cells"`
}

func read(t *testing.T, path string) (nb notebook) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &nb); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return nb
}

// pictures are how many outputs are pictures.
func (nb notebook) pictures() (n int) {
	for _, cell := range nb.Cells {
		for _, out := range cell.Outputs {
			if out.Data["image/png"] != nil {
				n++
			}
		}
	}
	return n
}

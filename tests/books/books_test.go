// Package books tests the notebooks.
package books

import (
	"encoding/json"
	"os"
	"path/filepath"
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
			if out, code := kernel.Run(t, "run", "--out", t.TempDir(), path); code != 0 {
				t.Errorf("exit code %d\n%s", code, out)
			}
		})
	}
}

// A reader on a code host sees a notebook as it was committed: with its outputs, with
// pictures, and without errors.
func TestCommittedNotebooks(t *testing.T) {
	for _, path := range checkout.Notebooks(t) {
		var nb struct {
			Cells []struct {
				Type    string `json:"cell_type"`
				Count   *int   `json:"execution_count"`
				Outputs []struct {
					Type string         `json:"output_type"`
					Data map[string]any `json:"data"`
				} `json:"outputs"`
			} `json:"cells"`
		}
		text, err := os.ReadFile(filepath.Join("../..", path))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &nb); err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		pictures := 0
		for i, cell := range nb.Cells {
			if cell.Type == "code" && cell.Count == nil {
				t.Errorf("%s: cell %d was never run: `go run ./kernel run --write %s`", path, i+1, path)
			}
			for _, out := range cell.Outputs {
				if out.Type == "error" {
					t.Errorf("%s: cell %d has an error in its outputs", path, i+1)
				}
				if out.Data["image/png"] != nil {
					pictures++
				}
			}
		}
		if pictures == 0 {
			t.Errorf("%s: no cell shows a picture", path)
		}
	}
}

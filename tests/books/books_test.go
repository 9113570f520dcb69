// Package books tests the notebooks as they were committed; `go run ./kernel run books`
// executes them.
package books

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/nami-flow/go-nami/tests/internal/checkout"
)

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

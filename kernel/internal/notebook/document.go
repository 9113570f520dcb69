package notebook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/kernel/internal/ipynb"
)

// read reads a notebook and refuses what can't be executed on our kernel.
func read(path string) (*ipynb.Notebook, error) {
	n, err := ipynb.Read(path)
	if err != nil {
		return nil, err
	}
	kernel := n.Metadata.Kernel
	if kernel.Language != "" && kernel.Language != "go" {
		return nil, fmt.Errorf("its kernel is %q, of the language %q; only notebooks in Go can be run", kernel.Name, kernel.Language)
	}
	if !slices.ContainsFunc(n.Cells, hasCode) {
		return nil, fmt.Errorf("it has no code: none of its %d cells is a code cell with text", len(n.Cells))
	}
	return n, nil
}

func hasCode(c ipynb.Cell) bool {
	return c.Type == "code" && strings.TrimSpace(string(c.Source)) != ""
}

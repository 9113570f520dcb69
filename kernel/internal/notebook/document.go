package notebook

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

// document is what we have to know of a notebook in nbformat 4 before it is executed.
type document struct {
	Format   int `json:"nbformat"`
	Metadata struct {
		Kernel struct {
			Name     string `json:"name"`
			Language string `json:"language"`
		} `json:"kernelspec"`
	} `json:"metadata"`
	Cells []cell `json:"cells"`
}

type cell struct {
	Type     string `json:"cell_type"`
	Source   text   `json:"source"`
	Metadata struct {
		Tags []string `json:"tags"`
	} `json:"metadata"`
}

// text is a string, which notebooks may store as its lines.
type text string

// UnmarshalJSON implements [json.Unmarshaler].
func (t *text) UnmarshalJSON(data []byte) error {
	var lines []string
	if err := json.Unmarshal(data, &lines); err == nil {
		*t = text(strings.Join(lines, ""))
		return nil
	}
	return json.Unmarshal(data, (*string)(t))
}

// read reads a notebook and refuses what can't be executed on our kernel.
func read(path string) (*document, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, fmt.Errorf("it isn't a notebook: its JSON is broken: %s", position(data, err))
	}
	if d.Format != 4 {
		return nil, fmt.Errorf("its nbformat is %d, expected 4: open it in JupyterLab and save it", d.Format)
	}
	kernel := d.Metadata.Kernel
	if kernel.Language != "" && kernel.Language != "go" {
		return nil, fmt.Errorf("its kernel is %q, of the language %q; only notebooks in Go can be run", kernel.Name, kernel.Language)
	}
	if !slices.ContainsFunc(d.Cells, cell.hasCode) {
		return nil, fmt.Errorf("it has no code: none of its %d cells is a code cell with text", len(d.Cells))
	}
	return &d, nil
}

func (c cell) hasCode() bool {
	return c.Type == "code" && strings.TrimSpace(string(c.Source)) != ""
}

// position says where JSON is broken.
func position(data []byte, err error) string {
	var offset int64
	switch e := err.(type) {
	case *json.SyntaxError:
		offset = e.Offset
	case *json.UnmarshalTypeError:
		offset = e.Offset
	default:
		return err.Error()
	}
	before := string(data[:max(0, min(int(offset), len(data))-1)]) // the offset is behind the character
	line := before[strings.LastIndexByte(before, '\n')+1:]
	return fmt.Sprintf("line %d, column %d: %v", 1+strings.Count(before, "\n"), 1+utf8.RuneCountInString(line), err)
}

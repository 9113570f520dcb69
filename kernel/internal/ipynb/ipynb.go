// Package ipynb reads Jupyter notebooks, as leniently as JupyterLab opens them: what others
// write differs from the format's schema in many small ways.
package ipynb

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"
)

// Notebook is a notebook in format 4. Fields that it lacks are empty.
type Notebook struct {
	Format   int `json:"nbformat"`
	Metadata struct {
		Kernel struct {
			Name     string `json:"name"`
			Language string `json:"language"`
		} `json:"kernelspec"`
	} `json:"metadata"`
	Cells []Cell `json:"cells"`
}

// Cell is a cell of a notebook.
type Cell struct {
	Type     string `json:"cell_type"` // code, markdown or raw
	Source   Text   `json:"source"`
	Metadata struct {
		Tags Tags `json:"tags"`
	} `json:"metadata"`
	Attachments map[string]Bundle `json:"attachments"` // by name
	Outputs     []Output          `json:"outputs"`
}

// Output is what a cell gave: a stream's text, an error, or data to show.
type Output struct {
	Type     string                     `json:"output_type"`
	Stream   string                     `json:"name"`
	Text     Text                       `json:"text"`
	Data     Bundle                     `json:"data"`
	Metadata map[string]json.RawMessage `json:"metadata"`
	Name     string                     `json:"ename"`
	Value    string                     `json:"evalue"`
}

// Bundle is one content in several media types.
type Bundle map[string]json.RawMessage

// Get is the content of a media type as text, empty if there is none.
func (b Bundle) Get(mediaType string) string {
	var t Text
	if err := json.Unmarshal(b[mediaType], &t); err != nil {
		return ""
	}
	return string(t)
}

// Text is a string, which notebooks may store as its lines.
type Text string

// UnmarshalJSON implements [json.Unmarshaler].
func (t *Text) UnmarshalJSON(data []byte) error {
	var lines []string
	if err := json.Unmarshal(data, &lines); err == nil {
		*t = Text(strings.Join(lines, ""))
		return nil
	}
	return json.Unmarshal(data, (*string)(t))
}

// Tags are the words that a cell is tagged with. They should be a list of words without
// commas; one string, and commas, separate them as JupyterLab's input field does.
type Tags []string

// UnmarshalJSON implements [json.Unmarshaler].
func (t *Tags) UnmarshalJSON(data []byte) error {
	var list []string
	if err := json.Unmarshal(data, &list); err != nil {
		var one string
		if json.Unmarshal(data, &one) != nil {
			return err
		}
		list = []string{one}
	}
	*t = nil
	for _, tag := range list {
		for word := range strings.SplitSeq(tag, ",") {
			if word = strings.TrimSpace(word); word != "" {
				*t = append(*t, word)
			}
		}
	}
	return nil
}

// Read reads a notebook's file.
func Read(path string) (*Notebook, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(data)
}

// Parse reads a notebook. The errors say where it isn't one, and what to do.
func Parse(data []byte) (*Notebook, error) {
	data, err := Plain(data)
	if err != nil {
		return nil, err
	}
	var n Notebook
	if err := json.Unmarshal(data, &n); err != nil {
		return nil, explain(data, err)
	}
	if n.Format != 4 {
		return nil, fmt.Errorf("its nbformat is %d, expected 4: open it in JupyterLab and save it", n.Format)
	}
	for i, c := range n.Cells {
		switch c.Type {
		case "code", "markdown", "raw":
		default:
			return nil, fmt.Errorf("its cell %d has the type %q, expected code, markdown or raw: open it in JupyterLab and save it", i+1, c.Type)
		}
	}
	return &n, nil
}

// Plain is a file's text without a byte order mark, and refuses another encoding than UTF-8.
func Plain(data []byte) ([]byte, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if utf8.Valid(data) {
		return data, nil
	}
	line, rest := 1, data
	for len(rest) > 0 {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size == 1 {
			break
		}
		if r == '\n' {
			line++
		}
		rest = rest[size:]
	}
	return nil, fmt.Errorf("it isn't a notebook: its line %d isn't UTF-8: save it in that encoding", line)
}

// explain says where JSON is broken, or isn't a notebook's.
func explain(data []byte, err error) error {
	var offset int64
	what := "its JSON is broken"
	switch e := err.(type) {
	case *json.SyntaxError:
		offset = e.Offset
	case *json.UnmarshalTypeError:
		offset = e.Offset
		what = "its JSON isn't a notebook's"
		if e.Field != "" {
			what = fmt.Sprintf("its field %s is a %s", e.Field, e.Value)
		}
	default:
		return fmt.Errorf("it isn't a notebook: %w", err)
	}
	before := string(data[:max(0, min(int(offset), len(data))-1)]) // the offset is behind the character
	line := before[strings.LastIndexByte(before, '\n')+1:]
	return fmt.Errorf("it isn't a notebook: %s: line %d, column %d: %w", what, 1+strings.Count(before, "\n"), 1+utf8.RuneCountInString(line), err)
}

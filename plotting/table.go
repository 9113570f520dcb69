package plotting

import (
	"fmt"
	"html"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// Table is rows of text under a header, such as distances between samples. Inline it is
// an HTML table in the notebook's own style, light or dark, which survives export; else
// Markdown. The first column is aligned to the left, the others, numbers, to the right.
type Table struct {
	Title  string
	Header []string
	Rows   [][]string

	err error
}

// Err returns what is wrong with the table's input, nil if it can be rendered.
func (t Table) Err() error {
	if t.err != nil {
		return t.err
	}
	if len(t.Header) == 0 {
		return fmt.Errorf("plotting: the table has no header: name its columns")
	}
	for i, row := range t.Rows {
		if len(row) != len(t.Header) {
			return fmt.Errorf("plotting: row %d of the table has %d cells for %d columns: give as many", i, len(row), len(t.Header))
		}
	}
	return nil
}

// Markdown returns the table in Markdown, its columns aligned in the source too.
func (t Table) Markdown() (string, error) {
	if err := t.Err(); err != nil {
		return "", err
	}
	escape := strings.NewReplacer("|", `\|`, "\n", " ")
	widths := make([]int, len(t.Header))
	rows := [][]string{{}}
	for _, row := range append([][]string{t.Header}, t.Rows...) {
		var cells []string
		for k, cell := range row {
			cells = append(cells, escape.Replace(cell))
			widths[k] = max(3, widths[k], utf8.RuneCountInString(cells[k]))
		}
		rows = append(rows, cells)
	}
	var out strings.Builder
	if t.Title != "" {
		fmt.Fprintf(&out, "**%s**\n\n", escape.Replace(t.Title))
	}
	for i, row := range rows[1:] {
		for k, cell := range row {
			pad := strings.Repeat(" ", widths[k]-utf8.RuneCountInString(cell))
			if k == 0 {
				out.WriteString("| " + cell + pad)
			} else {
				out.WriteString(" | " + pad + cell)
			}
		}
		out.WriteString(" |\n")
		if i == 0 {
			for k, width := range widths {
				if k == 0 {
					out.WriteString("|:" + strings.Repeat("-", width+1))
				} else {
					out.WriteString("|" + strings.Repeat("-", width+1) + ":")
				}
			}
			out.WriteString("|\n")
		}
	}
	return out.String(), nil
}

// HTML returns the table as an HTML element.
func (t Table) HTML() (string, error) {
	if err := t.Err(); err != nil {
		return "", err
	}
	var out strings.Builder
	out.WriteString("<table>\n")
	if t.Title != "" {
		fmt.Fprintf(&out, "<caption>%s</caption>\n", html.EscapeString(t.Title))
	}
	line := func(tag string, row []string) {
		out.WriteString("<tr>")
		for k, cell := range row {
			align := "right"
			if k == 0 {
				align = "left"
			}
			fmt.Fprintf(&out, `<%s style="text-align:%s">%s</%s>`, tag, align, html.EscapeString(cell), tag)
		}
		out.WriteString("</tr>\n")
	}
	line("th", t.Header)
	for _, row := range t.Rows {
		line("td", row)
	}
	out.WriteString("</table>\n")
	return out.String(), nil
}

// Save writes the table to path, as Markdown or HTML by its extension.
func (t Table) Save(path string) error {
	var content string
	var err error
	switch extension := strings.ToLower(filepath.Ext(path)); extension {
	case ".md":
		content, err = t.Markdown()
	case ".html":
		content, err = t.HTML()
	default:
		return fmt.Errorf("plotting: %q has the extension %q: end the name in .md or .html", path, extension)
	}
	if err != nil {
		return err
	}
	return write(path, []byte(content))
}

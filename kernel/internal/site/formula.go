package site

import (
	"fmt"
	"html"
	"html/template"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nami-flow/go-nami/kernel/internal/environment"

	"github.com/gohugoio/hugo-goldmark-extensions/passthrough"
	xhtml "golang.org/x/net/html"
)

// displayed is what stands around a formula on a line of its own.
var displayed = []passthrough.Delimiters{{Open: "$$", Close: "$$"}, {Open: `\[`, Close: `\]`}}

// Formulas are typeset together, when all pages are rendered. Until then a number stands for
// each: as a comment in HTML, and between two characters that no text has in plain text.
var (
	formulaInHTML = regexp.MustCompile(`<!--formula (\d+)-->`)
	formulaInText = regexp.MustCompile("\ufdd0(\\d+)\ufdd1")
)

// formula notes a formula, and returns what stands for it in HTML.
func (b *builder) formula(tex string, around *passthrough.Delimiters) string {
	return fmt.Sprintf("<!--formula %d-->", b.note(tex, around, slices.Contains(displayed, *around)))
}

// formulaText notes a formula within a text, and returns what stands for it there.
func (b *builder) formulaText(tex string, around *passthrough.Delimiters) string {
	return fmt.Sprintf("\ufdd0%d\ufdd1", b.note(tex, around, false))
}

func (b *builder) note(tex string, around *passthrough.Delimiters, display bool) int {
	tex = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(tex), around.Open), around.Close)
	f := environment.Formula{TeX: strings.TrimSpace(tex), Display: display}
	if i := slices.Index(b.formulas, f); i >= 0 {
		return i
	}
	b.formulas = append(b.formulas, f)
	return len(b.formulas) - 1
}

// typeset puts formulas in their places in HTML.
func (b *builder) typeset(body template.HTML) template.HTML {
	put := func(s string, place *regexp.Regexp) string {
		return b.replace(s, place, func(f environment.Formula) string {
			if f.MathML == "" {
				return `<code class="tex">` + html.EscapeString(f.TeX) + "</code>"
			}
			return f.MathML
		})
	}
	return template.HTML(put(put(string(body), formulaInHTML), formulaInText))
}

// plain puts formulas in their places in a text that can't hold HTML: x_t for a subscript,
// a/b for a fraction.
func (b *builder) plain(text string) string {
	return b.replace(text, formulaInText, func(f environment.Formula) string {
		root, err := xhtml.Parse(strings.NewReader(f.MathML))
		if err != nil || f.MathML == "" {
			return f.TeX
		}
		return linear(root)
	})
}

func (b *builder) replace(s string, place *regexp.Regexp, put func(environment.Formula) string) string {
	return place.ReplaceAllStringFunc(s, func(marker string) string {
		i, err := strconv.Atoi(place.FindStringSubmatch(marker)[1])
		if err != nil || i >= len(b.formulas) {
			return marker
		}
		return put(b.formulas[i])
	})
}

// linear is MathML on one line.
func linear(n *xhtml.Node) string {
	if n.Type == xhtml.TextNode {
		return n.Data
	}
	var parts []string
	for child := range n.ChildNodes() {
		if part := linear(child); part != "" {
			parts = append(parts, part)
		}
	}
	between := func(signs ...string) string {
		var out strings.Builder
		for i, part := range parts {
			if i > 0 && i <= len(signs) {
				out.WriteString(signs[i-1])
			}
			if len([]rune(part)) > 1 && strings.ContainsAny(part, "+-−=/ ,") {
				part = "(" + part + ")"
			}
			out.WriteString(part)
		}
		return out.String()
	}
	switch n.Data {
	case "msub", "munder":
		return between("_")
	case "msup":
		return between("^")
	case "msubsup", "munderover":
		return between("_", "^")
	case "mfrac":
		return between("/")
	case "msqrt":
		return "√(" + strings.Join(parts, "") + ")"
	}
	return strings.Join(parts, "")
}

// cut is the beginning of a text, at a word's end, where a formula counts as one character.
func cut(text string, longest int) string {
	length := len([]rune(formulaInText.ReplaceAllString(text, "x")))
	if length <= longest {
		return text
	}
	var out strings.Builder
	length = 0
	for word := range strings.FieldsSeq(text) {
		length += 1 + len([]rune(formulaInText.ReplaceAllString(word, "x")))
		if length > longest {
			break
		}
		out.WriteString(word + " ")
	}
	return out.String() + "…"
}

package site

import (
	"fmt"
	"html"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/util"
	xhtml "golang.org/x/net/html"
)

// What a page takes over of HTML within Markdown: what notebooks and READMEs format texts and
// pictures with.
var (
	allowedTags = strings.Fields("a b br center code dd details div dl dt em figcaption figure hr i img kbd li mark ol p pre s small span strong sub summary sup " +
		"table tbody td th thead tr u ul")
	allowedAttributes = strings.Fields("align alt colspan height href open rowspan src title width")
)

// htmlBlock writes a block of HTML.
func (w *writing) htmlBlock(out util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	block := n.(*ast.HTMLBlock)
	text := block.Lines().Value(source)
	if block.HasClosure() {
		text = append(slices.Clone(text), block.ClosureLine.Value(source)...)
	}
	_, err := out.WriteString(w.allowed(string(text)))
	return ast.WalkContinue, err
}

// inlineHTML writes a tag within a paragraph.
func (w *writing) inlineHTML(out util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkSkipChildren, nil
	}
	_, err := out.WriteString(w.allowed(string(n.(*ast.RawHTML).Segments.Value(source))))
	return ast.WalkSkipChildren, err
}

// allowed is what a page takes over of HTML, with links that lead from the page. What it
// doesn't is a problem, as it would be missing without a word.
func (w *writing) allowed(text string) string {
	var out strings.Builder
	tokens := xhtml.NewTokenizer(strings.NewReader(text))
	for tokens.Next() != xhtml.ErrorToken { // which is the end
		token := tokens.Token()
		switch token.Type {
		case xhtml.TextToken:
			out.WriteString(html.EscapeString(token.Data))
		case xhtml.StartTagToken, xhtml.SelfClosingTagToken, xhtml.EndTagToken:
			if !slices.Contains(allowedTags, token.Data) {
				w.b.problem("%s uses HTML's <%s>, which pages of the documentation don't have: use Markdown", w.source, token.Data)
				continue
			}
			if token.Type == xhtml.EndTagToken {
				fmt.Fprintf(&out, "</%s>", token.Data)
				continue
			}
			fmt.Fprintf(&out, "<%s", token.Data)
			for _, a := range token.Attr {
				if !slices.Contains(allowedAttributes, a.Key) {
					continue
				}
				if a.Key == "src" || a.Key == "href" {
					a.Val = w.link(a.Val)
				}
				fmt.Fprintf(&out, ` %s="%s"`, a.Key, html.EscapeString(a.Val))
			}
			out.WriteString(">")
		}
	}
	return out.String()
}

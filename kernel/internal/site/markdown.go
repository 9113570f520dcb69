package site

import (
	"bytes"
	"fmt"
	"html"
	"html/template"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/gohugoio/hugo-goldmark-extensions/passthrough"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// writing is a Markdown text on its way to a page.
type writing struct {
	b           *builder
	source      string            // file of the checkout, for links
	page        string            // for links
	ids         parser.IDs        // shared by the cells of a notebook
	attachments map[string]string // of a notebook's cell: files beside the page, by name
}

// section is a heading, with the text below it up to the next one.
type section struct {
	level int
	id    string
	title string
	text  string
}

// render returns the HTML of a Markdown text, and its sections.
func (w *writing) render(source []byte) (template.HTML, []section, error) {
	md := goldmark.New(
		goldmark.WithExtensions(extension.GFM, passthrough.New(passthrough.Config{
			InlineDelimiters: append(displayed, passthrough.Delimiters{Open: "$", Close: "$"}, passthrough.Delimiters{Open: `\(`, Close: `\)`}),
			BlockDelimiters:  displayed,
		})),
		goldmark.WithParserOptions(parser.WithAutoHeadingID()),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(w, 10))),
	)
	root := md.Parser().Parse(text.NewReader(source), parser.WithContext(parser.NewContext(parser.WithIDs(w.ids))))
	if err := ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Link:
			n.Destination = []byte(w.link(string(n.Destination)))
		case *ast.Image:
			n.Destination = []byte(w.link(string(n.Destination)))
		}
		return ast.WalkContinue, nil
	}); err != nil {
		return "", nil, err
	}
	var out bytes.Buffer
	if err := md.Renderer().Render(&out, source, root); err != nil {
		return "", nil, err
	}
	return template.HTML(out.String()), w.sections(root, source), nil
}

// RegisterFuncs implements [renderer.NodeRenderer].
func (w *writing) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindFencedCodeBlock, w.codeBlock)
	r.Register(ast.KindCodeSpan, w.codeSpan)
	r.Register(ast.KindHTMLBlock, w.htmlBlock)
	r.Register(ast.KindRawHTML, w.inlineHTML)
	r.Register(passthrough.KindPassthroughInline, w.inlineFormula)
	r.Register(passthrough.KindPassthroughBlock, w.blockFormula)
}

func (w *writing) codeBlock(out util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	block := n.(*ast.FencedCodeBlock)
	code := string(block.Lines().Value(source))
	if string(block.Language(source)) == "go" {
		code = string(w.b.api.goCode(code, w.page))
	} else {
		code = html.EscapeString(code)
	}
	_, err := fmt.Fprintf(out, "<pre><code>%s</code></pre>\n", code)
	return ast.WalkSkipChildren, err
}

// codeSpan links the name of a package or symbol of ours to its reference.
func (w *writing) codeSpan(out util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	code := w.plainText(n, source)
	text := "<code>" + html.EscapeString(code) + "</code>"
	linked := false
	for parent := n.Parent(); parent != nil; parent = parent.Parent() {
		linked = linked || parent.Kind() == ast.KindLink
	}
	if to := w.b.api.find(code); to != "" && !linked {
		text = fmt.Sprintf(`<a href="%s">%s</a>`, html.EscapeString(relative(w.page, to)), text)
	}
	_, err := out.WriteString(text)
	return ast.WalkSkipChildren, err
}

func (w *writing) inlineFormula(out util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	node := n.(*passthrough.PassthroughInline)
	_, err := out.WriteString(w.b.formula(string(node.Segment.Value(source)), node.Delimiters))
	return ast.WalkSkipChildren, err
}

func (w *writing) blockFormula(out util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	node := n.(*passthrough.PassthroughBlock)
	_, err := out.WriteString(w.b.formula(string(n.Lines().Value(source)), node.Delimiters) + "\n")
	return ast.WalkSkipChildren, err
}

// link is the address, as seen from the page, of what a Markdown text links to.
func (w *writing) link(destination string) string {
	if name, ok := strings.CutPrefix(destination, "attachment:"); ok {
		for _, name := range []string{name, unescaped(name)} {
			if file := w.attachments[name]; file != "" {
				return file
			}
		}
		w.b.problem("%s links to the attachment %s, which it hasn't", w.source, name)
		return destination
	}
	u, err := url.Parse(destination)
	if err != nil || u.IsAbs() || u.Host != "" || u.Path == "" {
		return destination
	}
	target := path.Join(path.Dir(w.source), u.Path)
	info, err := os.Stat(filepath.Join(w.b.root, filepath.FromSlash(target)))
	if err != nil || strings.HasPrefix(target, "../") {
		w.b.problem("%s links to %s, which isn't in the checkout", w.source, destination)
		return destination
	}
	if to := w.b.api.find(target); to != "" {
		return relative(w.page, to)
	}
	if info.IsDir() {
		target = path.Join(target, "README.md")
		if _, err := os.Stat(filepath.Join(w.b.root, target)); err != nil {
			w.b.problem("%s links to the folder %s, which has no README.md", w.source, destination)
			return destination
		}
	}
	to, known := w.b.markdown[target]
	if !known && path.Ext(target) == ".md" {
		to, known = "more/"+strings.TrimSuffix(target, ".md")+".html", true
		w.b.markdown[target] = to
		w.b.waiting = append(w.b.waiting, target)
	}
	if !known {
		to = "files/" + target
		w.b.files[to] = target
	}
	if u.Fragment != "" {
		to += "#" + u.Fragment
	}
	return relative(w.page, to)
}

// unescaped is a name without percent signs, as it is if it has none that mean characters.
func unescaped(name string) string {
	if plain, err := url.PathUnescape(name); err == nil {
		return plain
	}
	return name
}

// renderFile makes the page of a Markdown file of the checkout.
func (b *builder) renderFile(source string) error {
	content, err := os.ReadFile(filepath.Join(b.root, filepath.FromSlash(source)))
	if err != nil {
		return err
	}
	w := &writing{b: b, source: source, page: b.markdown[source], ids: newIDs()}
	body, sections, err := w.render(content)
	if err != nil {
		return err
	}
	p := &page{Path: w.page, Title: path.Base(strings.TrimSuffix(source, ".md")), Section: w.page, Body: body, Aside: contents(sections)}
	if len(sections) > 0 && sections[0].title != "" {
		p.Title = sections[0].title
	}
	if p.Path == "index.html" {
		p.Body += b.preview()
	}
	b.add(p, "page", sections)
	return nil
}

// add adds a page, and its sections to the search.
func (b *builder) add(p *page, kind string, sections []section) {
	b.pages = append(b.pages, p)
	for _, s := range sections {
		to, title := p.Path, s.title
		if s.id != "" && s.level > 1 {
			to += "#" + s.id
		}
		if title == "" {
			title = p.Title
		}
		b.search = append(b.search, entry{Kind: kind, Title: title, In: p.Title, To: to, Text: s.text})
	}
}

// contents is a table of a page's sections, empty if there are few.
func contents(sections []section) template.HTML {
	var out strings.Builder
	count := 0
	for _, s := range sections {
		if s.id == "" || s.level < 2 || s.level > 3 {
			continue
		}
		count++
		fmt.Fprintf(&out, `<a class="level%d" href="#%s">%s</a>`, s.level, html.EscapeString(s.id), html.EscapeString(s.title))
	}
	if count < 2 {
		return ""
	}
	return template.HTML(out.String())
}

// sections splits a document at its headings; what stands before the first has none.
func (w *writing) sections(root ast.Node, source []byte) (found []section) {
	current := section{}
	for n := root.FirstChild(); n != nil; n = n.NextSibling() {
		if h, ok := n.(*ast.Heading); ok {
			if current != (section{}) {
				found = append(found, current)
			}
			current = section{level: h.Level, title: w.plainText(h, source)}
			if id, ok := h.AttributeString("id"); ok {
				current.id = string(id.([]byte)) // so goldmark stores it
			}
			continue
		}
		current.text = strings.TrimSpace(current.text + " " + w.plainText(n, source))
	}
	if current != (section{}) {
		found = append(found, current)
	}
	return found
}

// plainText is what a reader sees of a node.
func (w *writing) plainText(n ast.Node, source []byte) string {
	var out strings.Builder
	// The walker's function returns no error.
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.Text:
			if entering {
				out.Write(n.Segment.Value(source))
				if n.SoftLineBreak() || n.HardLineBreak() {
					out.WriteByte(' ')
				}
			}
		case *ast.String:
			if entering {
				out.Write(n.Value)
			}
		case *passthrough.PassthroughInline:
			if entering {
				out.WriteString(w.b.formulaText(string(n.Segment.Value(source)), n.Delimiters))
			}
		case *passthrough.PassthroughBlock:
			if entering {
				out.WriteString(w.b.formulaText(string(n.Lines().Value(source)), n.Delimiters))
			}
		case *ast.FencedCodeBlock, *ast.CodeBlock:
			if entering {
				out.Write(n.Lines().Value(source))
			}
		default:
			if !entering && n.Type() == ast.TypeBlock {
				out.WriteByte(' ')
			}
		}
		return ast.WalkContinue, nil
	})
	return strings.Join(strings.Fields(out.String()), " ")
}

// ids makes the anchors of headings, as code hosts do.
type ids struct{ used map[string]int }

func newIDs() *ids { return &ids{map[string]int{}} }

// Generate implements [parser.IDs].
func (i *ids) Generate(value []byte, _ ast.NodeKind) []byte {
	var out strings.Builder
	for _, r := range strings.ToLower(string(value)) {
		switch {
		case r == ' ', r == '-':
			out.WriteByte('-')
		case r == '_' || r > 127 || r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			out.WriteRune(r)
		}
	}
	id := strings.Trim(out.String(), "-")
	if id == "" {
		id = "section"
	}
	n := i.used[id]
	i.used[id]++
	if n > 0 {
		id = fmt.Sprintf("%s-%d", id, n)
	}
	return []byte(id)
}

// Put implements [parser.IDs].
func (i *ids) Put(value []byte) { i.used[string(value)]++ }

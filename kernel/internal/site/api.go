package site

import (
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/doc"
	"go/doc/comment"
	"go/format"
	"go/parser"
	"go/printer"
	"go/token"
	"html"
	"html/template"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// module is the path of nami's module, and where the packages are that others import.
const module = "github.com/nami-flow/go-nami"

var apiFolders = []string{"nami", "plotting", "books"}

// api is the reference of all packages.
type api struct {
	packages []*apiPackage
	byPath   map[string]*apiPackage
	// places are the addresses of what a text can name: "nami/field", "field.MLP",
	// "field.MLP.Apply".
	places map[string]string
}

type apiPackage struct {
	path    string // import path
	folder  string // in the checkout
	page    string
	doc     *doc.Package
	fset    *token.FileSet
	imports map[string]string // import paths by the name in use
	dot     string            // import path of what is dot-imported
	symbols map[string]bool   // exported, at the top level
}

// readAPI reads the packages of the checkout.
func readAPI(root string) (*api, error) {
	a := &api{byPath: map[string]*apiPackage{}, places: map[string]string{}}
	for _, folder := range apiFolders {
		err := filepath.WalkDir(filepath.Join(root, folder), func(dir string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.IsDir() {
				return err
			}
			if name := entry.Name(); name == "internal" || name == "testdata" || strings.HasPrefix(name, ".") {
				return filepath.SkipDir
			}
			relative, err := filepath.Rel(root, dir)
			if err != nil {
				return err
			}
			p, err := readPackage(dir, filepath.ToSlash(relative))
			var none *build.NoGoError
			if errors.As(err, &none) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("%s: %w", relative, err)
			}
			a.packages = append(a.packages, p)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(a.packages, func(p, q *apiPackage) int { return strings.Compare(p.path, q.path) })
	for _, p := range a.packages {
		a.byPath[p.path] = p
		a.places[p.folder], a.places[p.path] = p.page, p.page
		name := p.doc.Name
		for symbol := range p.symbols {
			a.places[name+"."+symbol] = p.page + "#" + symbol
		}
		for _, t := range p.doc.Types {
			for _, member := range members(t) {
				a.places[name+"."+t.Name+"."+member] = p.page + "#" + t.Name + "." + member
			}
		}
	}
	return a, nil
}

// members are the exported methods of a type, and the fields of a struct or the methods of
// an interface.
func members(t *doc.Type) (names []string) {
	for _, m := range t.Methods {
		names = append(names, m.Name)
	}
	for _, spec := range t.Decl.Specs {
		spec, ok := spec.(*ast.TypeSpec)
		if !ok || spec.Name.Name != t.Name {
			continue
		}
		for _, name := range within(spec) {
			if name.IsExported() {
				names = append(names, name.Name)
			}
		}
	}
	return names
}

// within are the names that a type declares: the fields of a struct, or the methods of an
// interface.
func within(spec *ast.TypeSpec) (names []*ast.Ident) {
	var list *ast.FieldList
	switch t := spec.Type.(type) {
	case *ast.StructType:
		list = t.Fields
	case *ast.InterfaceType:
		list = t.Methods
	}
	if list == nil {
		return nil
	}
	for _, field := range list.List {
		names = append(names, field.Names...)
	}
	return names
}

func readPackage(dir, folder string) (*apiPackage, error) {
	found, err := build.Default.ImportDir(dir, 0)
	if err != nil {
		return nil, err
	}
	p := &apiPackage{
		path: module + "/" + folder, folder: folder, page: "api/" + folder + ".html", fset: token.NewFileSet(),
		imports: map[string]string{}, symbols: map[string]bool{},
	}
	var files []*ast.File
	for _, name := range slices.Concat(found.GoFiles, found.CgoFiles, found.TestGoFiles, found.XTestGoFiles) {
		file, err := parser.ParseFile(p.fset, filepath.Join(dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, spec := range file.Imports {
			of, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return nil, err
			}
			name := path.Base(of)
			if spec.Name != nil {
				name = spec.Name.Name
			}
			if name == "." {
				p.dot = of
			} else {
				p.imports[name] = of
			}
		}
	}
	if p.doc, err = doc.NewFromFiles(p.fset, files, p.path); err != nil {
		return nil, err
	}
	values := func(groups []*doc.Value) {
		for _, v := range groups {
			for _, name := range v.Names {
				if token.IsExported(name) {
					p.symbols[name] = true
				}
			}
		}
	}
	functions := func(list []*doc.Func) {
		for _, f := range list {
			p.symbols[f.Name] = true
		}
	}
	values(p.doc.Consts)
	values(p.doc.Vars)
	functions(p.doc.Funcs)
	for _, t := range p.doc.Types {
		p.symbols[t.Name] = true
		values(t.Consts)
		values(t.Vars)
		functions(t.Funcs)
	}
	return p, nil
}

// find is the place of what a text names, in the site; empty if it isn't ours.
func (a *api) find(name string) string { return a.places[strings.TrimSuffix(name, "/")] }

// symbol is the link to a symbol of any package, empty if there is none.
func (a *api) symbol(path, name, page string) string {
	p := a.byPath[path]
	switch {
	case path == "" || !token.IsExported(name):
		return ""
	case p != nil && p.symbols[name]:
		return relative(page, p.page+"#"+name)
	case p != nil || strings.HasPrefix(path, module+"/"):
		return ""
	}
	return "https://pkg.go.dev/" + path + "#" + name
}

// docLink is the address of what a doc comment names in brackets.
func (a *api) docLink(link *comment.DocLink, p *apiPackage) string {
	name := link.Name
	if link.Recv != "" {
		name = link.Recv + "." + link.Name
	}
	if link.ImportPath == "" || link.ImportPath == p.path {
		return "#" + name
	}
	to := "https://pkg.go.dev/" + link.ImportPath
	if other := a.byPath[link.ImportPath]; other != nil {
		to = relative(p.page, other.page)
	}
	if name != "" {
		to += "#" + name
	}
	return to
}

// renderAPI makes the list of packages, and a page for each.
func (b *builder) renderAPI() {
	var list strings.Builder
	list.WriteString("<h1>API reference</h1>\n<table class=\"packages\">\n")
	for _, p := range b.api.packages {
		synopsis := p.doc.Synopsis(p.doc.Doc)
		fmt.Fprintf(&list, "<tr><td><a href=\"%s\"><code>%s</code></a></td><td>%s</td></tr>\n", relative("api/index.html", p.page), p.folder, html.EscapeString(synopsis))
		b.search = append(b.search, entry{Kind: "package", Title: p.folder, In: "API reference", To: p.page, Text: synopsis})
		w := &apiWriter{b: b, p: p}
		b.pages = append(b.pages, w.page())
	}
	list.WriteString("</table>\n")
	b.pages = append(b.pages, &page{Path: "api/index.html", Title: "API reference", Section: "api/index.html", Body: template.HTML(list.String())})
}

// apiWriter writes the page of one package.
type apiWriter struct {
	b     *builder
	p     *apiPackage
	body  strings.Builder
	index strings.Builder
}

func (w *apiWriter) page() *page {
	d := w.p.doc
	fmt.Fprintf(&w.body, "<h1>%s</h1>\n<pre><code><span class=\"k\">import</span> <span class=\"s\">%q</span></code></pre>\n", w.p.folder, w.p.path)
	w.comment(d.Doc)
	w.examples(d.Examples)
	if len(d.Consts) > 0 {
		w.heading("Constants")
		w.values(d.Consts)
	}
	if len(d.Vars) > 0 {
		w.heading("Variables")
		w.values(d.Vars)
	}
	if len(d.Funcs) > 0 {
		w.heading("Functions")
		for _, f := range d.Funcs {
			w.function(f)
		}
	}
	if len(d.Types) > 0 {
		w.heading("Types")
		for _, t := range d.Types {
			w.declared("type", t.Name, t.Name, t.Doc, t.Decl)
			w.examples(t.Examples)
			w.values(t.Consts)
			w.values(t.Vars)
			for _, f := range slices.Concat(t.Funcs, t.Methods) {
				w.function(f)
			}
		}
	}
	return &page{Path: w.p.page, Title: w.p.folder, Section: "api/index.html", Body: template.HTML(w.body.String()), Aside: template.HTML(w.index.String())}
}

func (w *apiWriter) heading(title string) {
	id := "pkg-" + strings.ToLower(title)
	fmt.Fprintf(&w.body, "<h2 id=\"%s\">%s</h2>\n", id, title)
	fmt.Fprintf(&w.index, `<a class="level2" href="#%s">%s</a>`, id, title)
}

// values renders groups of constants or variables, each name with an anchor.
func (w *apiWriter) values(groups []*doc.Value) {
	for _, v := range groups {
		w.code(v.Decl, "")
		w.comment(v.Doc)
		for _, name := range v.Names {
			if token.IsExported(name) {
				w.find(name, "value", v.Doc)
			}
		}
	}
}

func (w *apiWriter) function(f *doc.Func) {
	name, id, kind := f.Name, f.Name, "func"
	if f.Recv != "" {
		receiver := strings.TrimLeft(f.Recv, "*")
		receiver, _, _ = strings.Cut(receiver, "[")
		id, kind = receiver+"."+f.Name, "method"
		name = "(" + f.Recv + ") " + f.Name
	}
	w.declared(kind, name, id, f.Doc, f.Decl)
	w.examples(f.Examples)
}

func (w *apiWriter) declared(kind, name, id, text string, decl ast.Decl) {
	word := kind
	if kind == "method" {
		word = "func"
	}
	fmt.Fprintf(&w.body, "<h3 id=\"%s\" class=\"symbol\"><span class=\"k\">%s</span> %s <a class=\"anchor\" href=\"#%[1]s\" aria-label=\"link\">#</a></h3>\n", id, word, html.EscapeString(name))
	level := "level3"
	if kind == "method" {
		level = "level4"
	}
	fmt.Fprintf(&w.index, `<a class="%s" href="#%s">%s</a>`, level, id, html.EscapeString(id[strings.LastIndexByte(id, '.')+1:]))
	w.code(decl, id)
	w.comment(text)
	w.find(id, kind, text)
}

// find adds a symbol to the search.
func (w *apiWriter) find(id, kind, text string) {
	w.b.search = append(w.b.search, entry{Kind: kind, Title: w.p.doc.Name + "." + id, In: w.p.folder, To: w.p.page + "#" + id, Text: w.p.doc.Synopsis(text)})
}

// code renders a declaration without its comment.
func (w *apiWriter) code(decl ast.Decl, owner string) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		bare := *d
		bare.Doc, bare.Body = nil, nil
		decl = &bare
	case *ast.GenDecl:
		bare := *d
		bare.Doc = nil
		decl = &bare
	}
	var text strings.Builder
	if err := format.Node(&text, w.p.fset, decl); err != nil {
		w.b.problem("%s: %w", w.p.folder, err)
		return
	}
	fmt.Fprintf(&w.body, "<pre class=\"declaration\"><code>%s</code></pre>\n", w.b.api.declaration(text.String(), w.p.page, owner, w.p))
}

// comment renders a doc comment, with its links.
func (w *apiWriter) comment(text string) {
	p := w.p.doc.Printer()
	p.HeadingLevel = 4
	p.DocLinkURL = func(link *comment.DocLink) string { return w.b.api.docLink(link, w.p) }
	w.body.Write(p.HTML(w.p.doc.Parser().Parse(text)))
}

// examples renders examples from tests, with their output.
func (w *apiWriter) examples(examples []*doc.Example) {
	for _, e := range examples {
		var text strings.Builder
		if err := format.Node(&text, w.p.fset, &printer.CommentedNode{Node: e.Code, Comments: e.Comments}); err != nil {
			w.b.problem("%s: %w", w.p.folder, err)
			continue
		}
		title := "Example"
		if e.Suffix != "" {
			title += " (" + e.Suffix + ")"
		}
		fmt.Fprintf(&w.body, "<details class=\"example\" open id=\"example-%s\"><summary>%s</summary>\n", html.EscapeString(e.Name), html.EscapeString(title))
		w.comment(e.Doc)
		fmt.Fprintf(&w.body, "<pre><code>%s</code></pre>\n", w.b.api.goCode(statements(text.String()), w.p.page))
		if e.Output != "" {
			fmt.Fprintf(&w.body, "<p>Output:</p>\n<pre class=\"output\">%s</pre>\n", html.EscapeString(e.Output))
		}
		w.body.WriteString("</details>\n")
	}
}

// statements is the code between a block's braces, without its indentation.
func statements(block string) string {
	inner, ok := strings.CutPrefix(block, "{")
	if !ok {
		return block
	}
	inner, _, _ = strings.Cut(strings.TrimSuffix(inner, "}"), "// Output:")
	return strings.Trim(strings.ReplaceAll(inner, "\n\t", "\n"), "\n\t ") + "\n"
}

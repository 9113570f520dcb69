package site

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"html"
	"html/template"
	"strings"
)

// marks says what stands at byte offsets of a text: the link, and the anchor, of an
// identifier.
type marks struct{ links, anchors map[int]string }

// colour renders Go code, with links and anchors.
func colour(code string, m marks) template.HTML {
	var out strings.Builder
	var s scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(code))
	s.Init(file, []byte(code), func(token.Position, string) {}, scanner.ScanComments) // what isn't Go stays as it is
	done := 0
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			break
		}
		at := file.Offset(pos)
		text := literal
		if text == "" {
			text = tok.String()
		}
		if tok == token.SEMICOLON && literal != ";" || at < done || !strings.HasPrefix(code[at:], text) { // inserted, or a comment's carriage return
			continue
		}
		out.WriteString(html.EscapeString(code[done:at]))
		done = at + len(text)
		word := html.EscapeString(text)
		switch {
		case tok.IsKeyword():
			word = `<span class="k">` + word + "</span>"
		case tok == token.STRING, tok == token.CHAR:
			word = `<span class="s">` + word + "</span>"
		case tok == token.INT, tok == token.FLOAT, tok == token.IMAG:
			word = `<span class="n">` + word + "</span>"
		case tok == token.COMMENT:
			word = `<span class="c">` + word + "</span>"
		case m.links[at] != "":
			word = fmt.Sprintf(`<a href="%s">%s</a>`, html.EscapeString(m.links[at]), word)
		}
		if anchor := m.anchors[at]; anchor != "" {
			word = fmt.Sprintf(`<span id="%s">%s</span>`, html.EscapeString(anchor), word)
		}
		out.WriteString(word)
	}
	out.WriteString(html.EscapeString(code[done:]))
	return template.HTML(out.String())
}

// goCode renders code that uses our packages: what it names is linked to its reference.
func (a *api) goCode(code, page string) template.HTML {
	m := marks{links: map[int]string{}}
	var s scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(code))
	s.Init(file, []byte(code), func(token.Position, string) {}, 0)
	var name, before string // the last two tokens
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			break
		}
		if tok == token.IDENT && before == "." {
			if to := a.find(name + "." + literal); to != "" {
				m.links[file.Offset(pos)] = relative(page, to)
			}
		}
		text := literal
		if text == "" {
			text = tok.String()
		}
		name, before = before, text
	}
	return colour(code, m)
}

// declaration renders a declaration of a package, as go/printer wrote it. Anchors are
// given to fields and methods of the type owner, or to constants and variables if owner
// is empty.
func (a *api) declaration(code, page, owner string, p *apiPackage) template.HTML {
	const clause = "package p\n"
	m := marks{links: map[int]string{}, anchors: map[int]string{}}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "", clause+code, parser.SkipObjectResolution)
	if err != nil {
		return colour(code, m)
	}
	offset := func(n ast.Node) int { return set.Position(n.Pos()).Offset - len(clause) }
	names := map[*ast.Ident]bool{} // declared, not used
	declare := func(ids []*ast.Ident, prefix string) {
		for _, id := range ids {
			names[id] = true
			if id.IsExported() && prefix != "-" {
				m.anchors[offset(id)] = prefix + id.Name
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.File:
			names[n.Name] = true
		case *ast.FuncDecl:
			declare([]*ast.Ident{n.Name}, "-")
		case *ast.TypeSpec:
			declare([]*ast.Ident{n.Name}, "-")
			declare(within(n), owner+".")
		case *ast.ValueSpec:
			declare(n.Names, "")
		case *ast.Field:
			for _, id := range n.Names {
				if !names[id] {
					declare([]*ast.Ident{id}, "-")
				}
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok {
				names[x], names[n.Sel] = true, true
				if to := a.symbol(p.imports[x.Name], n.Sel.Name, page); to != "" {
					m.links[offset(n.Sel)] = to
				}
			}
		case *ast.Ident:
			if names[n] || !n.IsExported() {
				break
			}
			if to := a.symbol(p.path, n.Name, page); to != "" {
				m.links[offset(n)] = to
			} else if p.dot != "" && owner != n.Name {
				m.links[offset(n)] = a.symbol(p.dot, n.Name, page)
			}
		}
		return true
	})
	return colour(code, m)
}

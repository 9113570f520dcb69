//lint:file-ignore SA1019 The parser resolves local names in ast.Object. go/types would do it, too, and make the program of each cell larger.

package nb

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// codeOf are the pieces of code that the value of a call of Keep depends on, each with a hash
// of its text.
//
// The text is what GoNB wrote for the cell: a program with all that the notebook declares. It
// is read, not type-checked: a name counts as every declaration of that name, which takes in
// too much in rare cases, and never too little.
func codeOf(place runtime.Frame, name string) (map[string]string, error) {
	s, err := readSource(filepath.Dir(place.File))
	if err != nil {
		return nil, err
	}
	call, around, err := s.call(place, name)
	if err != nil {
		return nil, err
	}
	c := &closure{source: s, parts: map[string]string{}, seen: map[ast.Node]bool{}, imports: map[string]bool{}}
	if err := c.call(call, around); err != nil {
		return nil, err
	}
	if err := c.variables(); err != nil {
		return nil, err
	}
	return c.parts, c.outside()
}

// source is a package as its files say it.
type source struct {
	folder string
	set    *token.FileSet
	files  []*ast.File
	texts  map[string][]byte
	named  map[string][]declared // what is declared at package level, by name
}

// declared is a declaration at package level.
type declared struct {
	what string // such as "func noise"
	node ast.Node
	file *ast.File
}

// readSource reads the package in a folder, without tests. In a notebook that is the program
// of the cell that runs: where the file is newer than the program, it is another cell's.
func readSource(folder string) (*source, error) {
	s := &source{folder: folder, set: token.NewFileSet(), texts: map[string][]byte{}, named: map[string][]declared{}}
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	binary, err := os.Stat(self)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") && filepath.Base(name) != "main_test.go" {
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		if info.ModTime().After(binary.ModTime()) {
			return nil, fmt.Errorf("its code in %s has been written anew since the program was built", name)
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(s.set, name, text, 0)
		if err != nil {
			return nil, err
		}
		s.texts[name] = text
		s.files = append(s.files, file)
		s.declare(file)
	}
	return s, nil
}

func (s *source) declare(file *ast.File) {
	add := func(kind string, name *ast.Ident, node ast.Node) {
		if name.Name != "_" {
			s.named[name.Name] = append(s.named[name.Name], declared{kind + " " + name.Name, node, file})
		}
	}
	for _, declaration := range file.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				add("func", d.Name, d)
				continue
			}
			// A method counts with its type.
			if receiver := baseName(d.Recv.List[0].Type); receiver != "" {
				s.named[receiver] = append(s.named[receiver], declared{"method " + receiver + "." + d.Name.Name, d, file})
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					add("type", spec.Name, spec)
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						if d.Tok == token.CONST { // its value may come from those above
							add("const", name, d)
						} else {
							add("var", name, spec)
						}
					}
				}
			}
		}
	}
}

// baseName is the name of a receiver's type.
func baseName(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.Ident:
		return t.Name
	case *ast.StarExpr:
		return baseName(t.X)
	case *ast.IndexExpr:
		return baseName(t.X)
	case *ast.IndexListExpr:
		return baseName(t.X)
	}
	return ""
}

// call finds the call of Keep at a place, and the nodes around it, the innermost last.
func (s *source) call(place runtime.Frame, name string) (call *ast.CallExpr, around []ast.Node, err error) {
	best := -1
	anywhere := place.File == "" // a call that says the name, wherever it is
	for _, file := range s.files {
		if !anywhere && s.set.File(file.Pos()).Name() != place.File {
			continue
		}
		var path []ast.Node
		ast.Inspect(file, func(n ast.Node) bool {
			if n == nil {
				path = path[:len(path)-1]
				return false
			}
			if found, ok := n.(*ast.CallExpr); ok && isKeep(found) && len(found.Args) >= 2 {
				from, to := s.set.Position(found.Pos()).Line, s.set.Position(found.End()).Line
				rank := 0
				if literal, ok := found.Args[0].(*ast.BasicLit); ok {
					if text, err := strconv.Unquote(literal.Value); err == nil && text == name {
						rank = 1
					} else {
						rank = -2 // the call of another name
					}
				}
				if (anywhere && rank == 1 || from <= place.Line && place.Line <= to) && rank >= best {
					best, call, around = rank, found, slices.Clone(path)
				}
			}
			path = append(path, n)
			return true
		})
	}
	if call == nil {
		return nil, nil, errors.New("its code isn't found: write nb.Keep(name, make) where the value is made, not a function that calls it")
	}
	return call, around, nil
}

func isKeep(call *ast.CallExpr) bool {
	f := call.Fun
	switch indexed := f.(type) {
	case *ast.IndexExpr:
		f = indexed.X
	case *ast.IndexListExpr:
		f = indexed.X
	}
	switch f := f.(type) {
	case *ast.SelectorExpr:
		return f.Sel.Name == "Keep"
	case *ast.Ident:
		return f.Name == "Keep"
	}
	return false
}

// closure collects what a value depends on.
type closure struct {
	*source
	parts   map[string]string
	seen    map[ast.Node]bool
	imports map[string]bool
	vars    []declared // variables at package level that it depends on
	given   []string   // names whose values are given
}

// call adds the function that makes the value, what it refers to, and what stands above it of
// the local variables that it uses.
func (c *closure) call(call *ast.CallExpr, around []ast.Node) error {
	for _, arg := range call.Args[2:] {
		if name, ok := arg.(*ast.Ident); ok {
			c.given = append(c.given, name.Name)
		}
	}
	if call.Ellipsis.IsValid() {
		return errors.New("its given values are one list…: write them one by one")
	}
	maker := call.Args[1]
	c.parts[whatMakes] = c.hash(maker)
	file := around[0].(*ast.File)
	locals := c.refer(maker, file)
	if len(locals) == 0 {
		return nil
	}
	return c.above(call, around, locals)
}

// refer adds what a node refers to at package level, and in packages. It returns the local
// variables that it uses from outside itself.
func (c *closure) refer(node ast.Node, file *ast.File) (locals map[*ast.Object]bool) {
	locals = map[*ast.Object]bool{}
	ast.Inspect(node, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if from, ok := selector.X.(*ast.Ident); ok {
				if path := importOf(file, from.Name); path != "" && from.Obj == nil {
					c.imports[path] = true
					c.uses(path, selector.Sel.Name)
				}
			}
		}
		call, ok := n.(*ast.CallExpr)
		if ok {
			c.environment(call, file)
		}
		literal, ok := n.(*ast.BasicLit)
		if ok && literal.Kind == token.STRING {
			if text, err := strconv.Unquote(literal.Value); err == nil {
				c.file(text)
			}
		}
		name, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		if o := name.Obj; o != nil && !c.global(o) {
			if o.Pos() < node.Pos() || o.Pos() >= node.End() {
				if o.Kind != ast.Lbl {
					locals[o] = true
				}
			}
			return true
		}
		for _, d := range c.named[name.Name] {
			c.add(d)
		}
		return true
	})
	return locals
}

// global says whether an object is declared at package level.
func (c *closure) global(o *ast.Object) bool {
	for _, d := range c.named[o.Name] {
		if d.node.Pos() <= o.Pos() && o.Pos() < d.node.End() {
			if _, function := d.node.(*ast.FuncDecl); !function || d.node.(*ast.FuncDecl).Name.Pos() == o.Pos() {
				return true
			}
		}
	}
	return false
}

// add adds a declaration, and what it refers to.
func (c *closure) add(d declared) {
	if c.seen[d.node] {
		return
	}
	c.seen[d.node] = true
	c.parts[d.what] = c.hash(d.node)
	if strings.HasPrefix(d.what, "var ") {
		c.vars = append(c.vars, d)
	}
	c.refer(d.node, d.file)
}

// above adds the statements above the call that concern local variables.
func (c *closure) above(call *ast.CallExpr, around []ast.Node, locals map[*ast.Object]bool) error {
	file := around[0].(*ast.File)
	var function *ast.FuncDecl
	repeated := false
	for _, n := range around {
		switch n := n.(type) {
		case *ast.FuncDecl:
			function = n
		case *ast.ForStmt, *ast.RangeStmt, *ast.FuncLit:
			repeated = true
		}
	}
	for {
		for o := range locals {
			if slices.Contains(c.given, o.Name) {
				delete(locals, o)
				continue
			}
			_, parameter := o.Decl.(*ast.Field)
			if parameter || repeated || function == nil {
				return fmt.Errorf("the function that makes it uses %s, whose value the code doesn't tell: give it behind the function, as nb.Keep(name, make, %[1]s)", o.Name)
			}
		}
		more := map[*ast.Object]bool{}
		statements := c.concerning(function.Body.List, call, locals)
		for _, s := range statements {
			maps.Copy(more, c.refer(s, file))
			maps.Copy(more, assignedIn(s))
		}
		known := len(locals)
		for o := range more {
			if !slices.Contains(c.given, o.Name) {
				locals[o] = true
			}
		}
		if len(locals) > known {
			continue
		}
		var texts []string
		for _, s := range statements {
			texts = append(texts, c.hash(s))
		}
		c.parts[whatIsAbove] = hash(texts...)
		return nil
	}
}

// What the cell has alone that makes a value.
const (
	whatMakes   = "the function that makes it"
	whatIsAbove = "what stands above it"
	whatIsAsked = "the program's arguments"
	givenValue  = "given value "
)

// concerning are the statements before a call that mention one of some variables.
func (c *closure) concerning(list []ast.Stmt, call ast.Node, locals map[*ast.Object]bool) (found []ast.Node) {
	mentions := func(n ast.Node) (yes bool) {
		ast.Inspect(n, func(n ast.Node) bool {
			if name, ok := n.(*ast.Ident); ok && name.Obj != nil && locals[name.Obj] {
				yes = true
			}
			return !yes
		})
		return yes
	}
	for _, s := range list {
		if s.End() <= call.Pos() {
			if mentions(s) {
				found = append(found, s)
			}
			continue
		}
		if s.Pos() > call.Pos() {
			break
		}
		// What the call stands in: its blocks, and what is said before them.
		ast.Inspect(s, func(n ast.Node) bool {
			if n == nil || n == s || n.Pos() > call.Pos() {
				return n == s
			}
			switch n := n.(type) {
			case *ast.BlockStmt:
				if n.End() > call.Pos() {
					found = append(found, c.concerning(n.List, call, locals)...)
				} else if mentions(n) {
					found = append(found, n)
				}
				return false
			case *ast.CaseClause:
				if n.End() > call.Pos() {
					found = append(found, c.concerning(n.Body, call, locals)...)
				}
				return false
			case ast.Stmt:
				if n.End() <= call.Pos() {
					if mentions(n) {
						found = append(found, n)
					}
					return false
				}
			}
			return true
		})
	}
	return found
}

// assignedIn are the variables that a statement defines or assigns.
func assignedIn(n ast.Node) map[*ast.Object]bool {
	found := map[*ast.Object]bool{}
	if assign, ok := n.(*ast.AssignStmt); ok {
		for _, left := range assign.Lhs {
			if name, ok := left.(*ast.Ident); ok && name.Obj != nil {
				found[name.Obj] = true
			}
		}
	}
	return found
}

// variables refuses variables at package level whose values the code doesn't tell, as some
// function assigns them.
func (c *closure) variables() error {
	for i := 0; i < len(c.vars); i++ {
		spec, ok := c.vars[i].node.(*ast.ValueSpec)
		if !ok {
			continue
		}
		for _, name := range spec.Names {
			if slices.Contains(c.given, name.Name) {
				continue
			}
			if where := c.assigned(name); where != "" {
				return fmt.Errorf("the function that makes it uses %s, which %s changes: give its value behind the function, as nb.Keep(name, make, %[1]s)", name.Name, where)
			}
		}
		for _, value := range spec.Values {
			if made, ok := value.(*ast.CallExpr); ok {
				if f, ok := made.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "NewStore" {
					return fmt.Errorf("the function that makes it uses %s, a store that other functions can train: make the store inside the function", spec.Names[0].Name)
				}
			}
		}
	}
	return nil
}

// assigned names a function that assigns a variable at package level, or takes its address;
// empty if none does.
func (c *closure) assigned(variable *ast.Ident) (where string) {
	is := func(e ast.Expr) bool {
		for {
			switch x := e.(type) {
			case *ast.Ident:
				return x.Name == variable.Name && (x.Obj == nil || c.global(x.Obj))
			case *ast.SelectorExpr:
				e = x.X
			case *ast.IndexExpr:
				e = x.X
			case *ast.StarExpr:
				e = x.X
			case *ast.ParenExpr:
				e = x.X
			default:
				return false
			}
		}
	}
	for _, file := range c.files {
		for _, declaration := range file.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(function, func(n ast.Node) bool {
				found := false
				switch n := n.(type) {
				case *ast.AssignStmt:
					found = n.Tok != token.DEFINE && slices.ContainsFunc(n.Lhs, is)
				case *ast.IncDecStmt:
					found = is(n.X)
				case *ast.UnaryExpr:
					found = n.Op == token.AND && is(n.X)
				case *ast.RangeStmt:
					found = n.Tok == token.ASSIGN && (n.Key != nil && is(n.Key) || n.Value != nil && is(n.Value))
				}
				if found {
					where = "func " + function.Name.Name
				}
				return where == ""
			})
		}
	}
	return where
}

// environment adds the value of a variable of the environment that is asked for by name.
func (c *closure) environment(call *ast.CallExpr, file *ast.File) {
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) != 1 {
		return
	}
	from, ok := f.X.(*ast.Ident)
	literal, literally := call.Args[0].(*ast.BasicLit)
	if !ok || !literally || importOf(file, from.Name) != "os" || f.Sel.Name != "Getenv" && f.Sel.Name != "LookupEnv" {
		return
	}
	if name, err := strconv.Unquote(literal.Value); err == nil {
		c.parts["the variable "+name] = hash(os.Getenv(name))
	}
}

// uses notes what the program is asked for.
func (c *closure) uses(path, name string) {
	if path == "flag" || path == "os" && name == "Args" {
		c.parts[whatIsAsked] = hash(os.Args[1:]...)
	}
}

// file adds a file that a string names.
func (c *closure) file(name string) {
	if name == "" || len(name) > 1024 || strings.ContainsAny(name, "\n\x00") {
		return
	}
	if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
		c.parts["the file "+name] = stateOf(name)
	}
}

// hash is a hash of a node's text, whatever comments and spaces it has.
func (c *closure) hash(n ast.Node) string {
	file := c.set.File(n.Pos())
	text := c.texts[file.Name()][file.Offset(n.Pos()):file.Offset(n.End())]
	var s scanner.Scanner
	set := token.NewFileSet()
	s.Init(set.AddFile("", set.Base(), len(text)), text, nil, 0)
	var words []string
	for {
		_, kind, word := s.Scan()
		if kind == token.EOF {
			return hash(words...)
		}
		if kind == token.SEMICOLON {
			word = ";"
		}
		words = append(words, kind.String(), word)
	}
}

// importOf is the path of what a file imports under a name; empty if it is none. The name of
// a package isn't known where it isn't said, so it is taken from the path.
func importOf(file *ast.File, name string) string {
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		if spec.Name != nil {
			if spec.Name.Name == name {
				return path
			}
			continue
		}
		for part := range strings.SplitSeq(path, "/") {
			// Of example.com/go-x.v2/v3 it may be any part.
			if part == name || strings.TrimPrefix(part, "go-") == name || strings.SplitN(part, ".", 2)[0] == name {
				return path
			}
		}
	}
	return ""
}

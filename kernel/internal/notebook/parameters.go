package notebook

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/nami-flow/go-nami/kernel/internal/ipynb"
)

// What marks the cells that declare parameters, and those that a run put below them, as
// papermill's users know it.
const (
	parametersTag = "parameters"
	injectedTag   = "injected-parameters"
)

// injection is a cell that a run puts below one that declares parameters.
type injection struct {
	After  int    `json:"after"`  // among the code cells tagged "parameters", from 0
	Source string `json:"source"` // Go code that sets the parameters, in the order of their names
}

// inject is how a notebook's parameters are set: each below every cell that declares it, so
// that no later declaration takes it back. That is a code cell tagged "parameters", with var
// name = value or var name T = value and a number, a string or a truth value; the parameter
// keeps its kind. A heading with the tag declares nothing.
func inject(n *ipynb.Notebook, parameters map[string]string) (found []injection, err error) {
	missing := maps.Clone(parameters)
	known := map[string]bool{}
	for number, c := range n.Cells {
		tags := c.Metadata.Tags
		if c.Type != "code" || !slices.Contains(tags, parametersTag) || slices.Contains(tags, injectedTag) {
			continue
		}
		declared, err := declarations(string(c.Source))
		if err != nil {
			return nil, fmt.Errorf("cell %d, tagged %q, isn't Go: %w", number+1, parametersTag, err)
		}
		var lines []string
		for _, name := range slices.Sorted(maps.Keys(declared)) {
			known[name] = true
			value, set := parameters[name]
			if !set {
				continue
			}
			delete(missing, name)
			p := declared[name]
			literal, err := p.literal(value)
			if err != nil {
				return nil, fmt.Errorf("--param %s=%s: %w", name, value, err)
			}
			lines = append(lines, fmt.Sprintf("var %s%s = %s", name, p.typed, literal))
		}
		found = append(found, injection{After: len(found), Source: strings.Join(lines, "\n")})
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("--param needs a code cell tagged %q that declares the parameters, each as var name = value; no code cell has the tag", parametersTag)
	}
	if len(missing) > 0 {
		names := strings.Join(slices.Sorted(maps.Keys(known)), ", ")
		if names == "" {
			names = "none, as var name = value"
		}
		return nil, fmt.Errorf("--param %s: no cell tagged %q declares such a parameter; declared are %s", slices.Sorted(maps.Keys(missing))[0], parametersTag, names)
	}
	return slices.DeleteFunc(found, func(i injection) bool { return i.Source == "" }), nil
}

// parameter is a declared variable: the kind of its value (token.INT, FLOAT, STRING,
// CHAR, or IDENT for a truth value), and its type if that is written.
type parameter struct {
	kind  token.Token
	typed string
}

// declarations are the variables of a cell that are declared with a plain value.
func declarations(source string) (map[string]parameter, error) {
	var lines []string
	for line := range strings.Lines(source) {
		if strings.HasPrefix(line, "%") || strings.HasPrefix(line, "!") { // for GoNB, not for Go
			line = "\n"
		}
		lines = append(lines, line)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p;"+strings.Join(lines, ""), 0)
	if err != nil {
		return nil, err
	}
	found := map[string]parameter{}
	for _, declaration := range file.Decls {
		group, ok := declaration.(*ast.GenDecl)
		if !ok || group.Tok != token.VAR {
			continue
		}
		for _, spec := range group.Specs {
			value := spec.(*ast.ValueSpec) // all that a var group holds
			if len(value.Names) != 1 || len(value.Values) != 1 {
				continue
			}
			kind := kindOf(value.Values[0])
			if kind == token.ILLEGAL {
				continue
			}
			p := parameter{kind: kind}
			if value.Type != nil {
				p.typed = " " + types.ExprString(value.Type)
			}
			found[value.Names[0].Name] = p
		}
	}
	return found, nil
}

func kindOf(e ast.Expr) token.Token {
	switch e := e.(type) {
	case *ast.BasicLit:
		return e.Kind
	case *ast.UnaryExpr:
		if e.Op == token.SUB || e.Op == token.ADD {
			return kindOf(e.X)
		}
	case *ast.Ident:
		if e.Name == "true" || e.Name == "false" {
			return token.IDENT
		}
	}
	return token.ILLEGAL
}

// literal is the Go literal for a value that the user gave as plain text.
func (p parameter) literal(value string) (string, error) {
	switch p.kind {
	case token.INT:
		if _, err := strconv.ParseInt(value, 0, 64); err == nil {
			return value, nil
		}
		if strings.Contains(p.typed, "float") { // var rate float64 = 1
			return floatLiteral(value)
		}
		return "", fmt.Errorf("the parameter is a whole number, %q isn't", value)
	case token.FLOAT:
		return floatLiteral(value)
	case token.STRING:
		return strconv.Quote(value), nil
	case token.CHAR:
		if letters := []rune(value); len(letters) == 1 {
			return strconv.QuoteRune(letters[0]), nil
		}
		return "", fmt.Errorf("the parameter is one character, %q isn't", value)
	case token.IDENT:
		if value == "true" || value == "false" {
			return value, nil
		}
		return "", fmt.Errorf("the parameter is true or false, %q is neither", value)
	}
	return "", fmt.Errorf("the parameter is declared with a value that isn't a number, a string, true or false")
}

// floatLiteral keeps a number from turning a float64 variable into an int.
func floatLiteral(value string) (string, error) {
	x, err := strconv.ParseFloat(value, 64)
	if err != nil || x-x != 0 {
		return "", fmt.Errorf("the parameter is a number, %q isn't, or is not finite", value)
	}
	literal := strconv.FormatFloat(x, 'g', -1, 64)
	if !strings.ContainsAny(literal, ".e") {
		literal += ".0"
	}
	return literal, nil
}

//go:build slow

package kernel

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/tests/internal/checkout"
)

// The documentation of this checkout builds: each package, exported symbol, notebook and
// page of docs is in it. That links aren't dead is checked whenever it is built.
func TestDocs(t *testing.T) {
	kernel := checkout.BuildKernel(t)
	out := filepath.Join(t.TempDir(), "site")
	if said, code := kernel.Run(t, "docs", "--out", out); code != 0 {
		t.Fatalf("exit code %d\n%s", code, said)
	}
	read := func(name string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	packages := 0
	for _, root := range []string{"nami", "plotting", "books"} {
		err := filepath.WalkDir(filepath.Join("../..", root), func(dir string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.IsDir() {
				return err
			}
			if entry.Name() == "internal" || entry.Name() == "testdata" {
				return filepath.SkipDir
			}
			found, err := build.Default.ImportDir(dir, 0)
			if err != nil {
				return nil // no Go in it
			}
			packages++
			page := read("api/" + strings.TrimPrefix(filepath.ToSlash(dir), "../../") + ".html")
			for _, name := range found.GoFiles {
				for _, symbol := range exported(t, filepath.Join(dir, name)) {
					if !strings.Contains(page, `id="`+symbol+`"`) {
						t.Errorf("the page of %s has no %s", dir, symbol)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if packages < 10 {
		t.Errorf("%d packages were found", packages)
	}
	gallery, script := read("gallery.html"), read("search.js")
	for _, path := range checkout.Notebooks(t) {
		page := strings.TrimSuffix(path, ".ipynb")
		if !strings.Contains(gallery, `href="`+page+`.html"`) || !strings.Contains(gallery, `src="`+page+"-thumbnail.png") {
			t.Errorf("the gallery doesn't show %s with a picture", page)
		}
		read(page + ".html")
	}
	for _, want := range []string{`"title":"nami.FlowMatching"`, `"title":"Shapes"`, `"kind":"notebook"`} {
		if !strings.Contains(script, want) {
			t.Errorf("the search doesn't know %s", want)
		}
	}
	concepts := read("concepts.html")
	if !strings.Contains(concepts, "<math") || strings.Contains(concepts, `class="tex"`) {
		t.Error("the concepts' formulas aren't typeset")
	}
}

// exported are the anchors that a reference to a file's declarations must have.
func exported(t *testing.T, path string) (names []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, declaration := range file.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			if d.Recv != nil {
				receiver := d.Recv.List[0].Type
				if pointer, ok := receiver.(*ast.StarExpr); ok {
					receiver = pointer.X
				}
				if generic, ok := receiver.(*ast.IndexExpr); ok {
					receiver = generic.X
				}
				id, ok := receiver.(*ast.Ident)
				if !ok || !id.IsExported() {
					continue
				}
				name = id.Name + "." + name
			}
			if d.Name.IsExported() {
				names = append(names, name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					if s.Name.IsExported() {
						names = append(names, s.Name.Name)
					}
				case *ast.ValueSpec:
					for _, id := range s.Names {
						if id.IsExported() {
							names = append(names, id.Name)
						}
					}
				}
			}
		}
	}
	return names
}

// A port in use is said, and the next one serves.
func TestDocsServe(t *testing.T) {
	kernel := checkout.BuildKernel(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	command := kernel.Command("docs", "--serve", "--port", port, "--out", filepath.Join(t.TempDir(), "site"))
	said := follow(t, command)
	address := said.wait(t, regexp.MustCompile(`serving .* on (http://\S+)`))[1]
	if !strings.Contains(said.String(), "port "+port+" is in use, so it is port ") {
		t.Errorf("it said\n%s", said)
	}
	answer, err := http.Get(address + "api/nami.html")
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(answer.Body)
	if err := answer.Body.Close(); err != nil {
		t.Error(err)
	}
	if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(page), "FlowMatching") {
		t.Errorf("%s, %v\n%s", answer.Status, err, page)
	}
	if code := said.end(t); code != 0 && code != 130 {
		t.Errorf("exit code %d\n%s", code, said)
	}
}

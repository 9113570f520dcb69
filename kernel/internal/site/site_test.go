package site

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/kernel/internal/environment"
)

// dot64 is a picture of one pixel.
const dot64 = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"

// checkout is a small one: a package, a notebook, pages.
func checkout(t *testing.T, changed map[string]string) string {
	t.Helper()
	files := map[string]string{
		"README.md":                 "# nami\n\nSee [the concepts](docs/concepts.md#shapes), [more](tests/bench), ![a picture](docs/dot.png) and `path.Curve.Point`.\n\n## Use\n\n```go\npath.NewCurve(1)\n```\n",
		"docs/concepts.md":          "# Concepts\n\n## Shapes\n\nThe line $x_t = (1-t) x_0$ and\n\n$$\\frac{a}{b}$$\n\ncost `$5`.\n",
		"docs/architecture.md":      "# Architecture\n\nRooms.\n",
		"docs/dot.png":              "any bytes",
		"tests/bench/README.md":     "# Benchmarks\n",
		"nami/nami.go":              "// Package nami is the front door, see [path.Curve].\npackage nami\n\nimport \"github.com/nami-flow/go-nami/nami/path\"\n\n// Model has a curve.\ntype Model struct {\n\t// Curve is the path.\n\tCurve path.Curve\n\thidden int\n}\n\n// Names of things.\nconst (\n\tOne = 1\n\ttwo = 2\n)\n",
		"nami/path/path.go":         "// Package path has curves.\n//\n// # Why\n//\n// Because.\npackage path\n\n// Curve moves a point.\ntype Curve interface {\n\t// Point is where it is.\n\tPoint(t float64) float64\n}\n\n// Straight is a [Curve].\ntype Straight struct{}\n\n// Point implements [Curve].\nfunc (Straight) Point(t float64) float64 { return t }\n\n// NewCurve makes a [Straight] one.\nfunc NewCurve(n int) Curve { return Straight{} }\n",
		"nami/path/example_test.go": "package path_test\n\nimport (\n\t\"fmt\"\n\n\t\"github.com/nami-flow/go-nami/nami/path\"\n)\n\nfunc ExampleNewCurve() {\n\tfmt.Println(path.NewCurve(1).Point(2))\n\t// Output: 2\n}\n",
		"nami/internal/x/x.go":      "package x\n\n// Secret is nobody's business.\ntype Secret int\n",
		"plotting/plot.go":          "// Package plotting draws.\npackage plotting\n",
		"books/examples/quickstart.ipynb": `{"nbformat": 4, "cells": [
 {"cell_type": "markdown", "source": ["# Begin\n", "Here and now with $t=0$.\n## Then $x_t$\nIt is.\n## And"]},
 {"cell_type": "markdown", "source": "![a](attachment:three%20dots.png) <img src='attachment:dot.png' width=20 onload='alert(1)'> ![c](<attachment:d.svg>)\n\n<figure>\n<img src=\"attachment:dot.png\">\n</figure>",
  "attachments": {"three dots.png": {"image/png": ["` + dot64[:20] + `\n", "` + dot64[20:] + `"]}, "dot.png": {"image/png": "` + dot64 + `"}, "d.svg": {"image/svg+xml": "<svg/>"}}},
 {"cell_type": "code", "source": "path.NewCurve(1)", "outputs": [
  {"output_type": "stream", "name": "stdout", "text": "10%\r100%\n\u001b[31mdone\u001b[0m <b>\n"},
  {"output_type": "display_data", "data": {"text/html": "<b>bold</b>"}},
  {"output_type": "display_data", "data": {"text/html": "<script src='https://x.org/a.js'></script>", "text/plain": "a chart"}},
  {"output_type": "display_data", "data": {"image/png": "` + dot64 + `", "text/plain": "a dot"}, "metadata": {"image/png": {"width": 7}}},
  {"output_type": "display_data", "data": {"text/html": "<p>choose<script>\nslides()</script></p>", "image/png": "` + dot64 + `"}},
  {"output_type": "display_data", "data": {"text/html": "<script>load('https://x.org')</script>", "image/png": "` + dot64 + `", "text/plain": "still"}}]}]}`,
	}
	for name, text := range changed {
		files[name] = text
	}
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func buildSite(t *testing.T, root string) (out string, err error) {
	t.Helper()
	out = filepath.Join(t.TempDir(), "site")
	return out, Build(t.Context(), Options{Root: root, Out: out, Typeset: func(_ context.Context, formulas []environment.Formula) error {
		for i := range formulas {
			formulas[i].MathML = fmt.Sprintf("<math>%s %v</math>", formulas[i].TeX, formulas[i].Display)
			if strings.Contains(formulas[i].TeX, "nonsense") {
				formulas[i].Problem = "makes no sense"
			}
		}
		return nil
	}})
}

func TestBuild(t *testing.T) {
	out, err := buildSite(t, checkout(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	for name, wants := range map[string][]string{
		"index.html": {
			`href="concepts.html#shapes"`, `href="more/tests/bench/README.html"`, `src="files/docs/dot.png"`,
			`<a href="api/nami/path.html#Curve.Point"><code>path.Curve.Point</code></a>`, // a method that code names
			`path.<a href="api/nami/path.html#NewCurve">NewCurve</a>`, `class="card" href="books/examples/quickstart.html"`,
		},
		"concepts.html":  {"<math>x_t = (1-t) x_0 false</math>", `<math>\frac{a}{b} true</math>`, "<code>$5</code>"},
		"api/index.html": {`<a href="nami/path.html"><code>nami/path</code></a></td><td>Package path has curves.`},
		"api/nami.html": {
			`path.<a href="nami/path.html#Curve">Curve</a>`, `<span id="Model.Curve">Curve</span>`, `<span id="One">One</span>`, `see <a href="nami/path.html#Curve">path.Curve</a>`,
		},
		"api/nami/path.html": {
			`id="Curve.Point"`, `<span class="k">func</span> (Straight) Point`, `id="Straight.Point"`, `<a href="#Curve">Curve</a>`,
			`path.<a href="#NewCurve">NewCurve</a>`, "<pre class=\"output\">2\n</pre>",
		},
		"books/examples/quickstart.html": {
			"<h1 id=\"begin\">Begin</h1>", "<math>t=0 false</math>", "100%\ndone &lt;b&gt;</pre>", "<b>bold</b>", "a chart",
			"<p>choose<script>\nslides()</script></p>", `src="quickstart-3.png" alt="still"`,
			`<img src="quickstart-attached-3.png" alt="a"> <img src="quickstart-attached-2.png" width="20"> <img src="quickstart-attached-1.svg" alt="c">`,
			"<figure>\n<img src=\"quickstart-attached-2.png\">\n</figure>", `<a class="level2" href="#then-x_t">Then <math>x_t false</math></a>`,
			`<img src="quickstart-1.png" width="7" alt="a dot"`, `href="../../files/books/examples/quickstart.ipynb"`,
		},
		"gallery.html": {`src="books/examples/quickstart-thumbnail.png"`, "<strong>Begin</strong><span>Here and now with <math>t=0 false</math>."},
		"search.js":    {`"title":"path.Straight.Point"`, `"title":"Shapes"`, `"kind":"notebook"`, `"title":"Then x_t false"`, `"text":"Here and now with t=0 false."`},
	} {
		text, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Error(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s lacks %q:\n%s", name, want, text)
			}
		}
		for _, leak := range []string{"Secret", "x.org", "10%\r", "\x1b", "\ufdd0", "$t", "onload"} {
			if strings.Contains(string(text), leak) {
				t.Errorf("%s has %q", name, leak)
			}
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	for want, changed := range map[string]map[string]string{
		"README.md links to docs/none.md, which isn't in the checkout": {"README.md": "# n\n[x](docs/none.md)\n"},
		"which has no README.md":                           {"README.md": "# n\n[x](nami)\n[y](books)\n"},
		"concepts.html has no such anchor":                 {"README.md": "# n\n[x](docs/concepts.md#sheep)\n"},
		"the formula nonsense: makes no sense":             {"README.md": "# n\n$nonsense$\n"},
		"loads https://x.org/p.png, which needs a network": {"README.md": "# n\n![x](https://x.org/p.png)\n"},
		"quickstart.ipynb: it isn't a notebook":            {"books/examples/quickstart.ipynb": "{"},
		"a picture is damaged":                             {"books/examples/quickstart.ipynb": `{"nbformat": 4, "cells": [{"cell_type": "code", "source": "x", "outputs": [{"output_type": "display_data", "data": {"image/png": "AAAA"}}]}]}`},
		"it hasn't":                                        {"books/examples/quickstart.ipynb": `{"nbformat": 4, "cells": [{"cell_type": "markdown", "source": "![x](attachment:none.png)"}]}`},
		"the attachment x.png is damaged":                  {"books/examples/quickstart.ipynb": `{"nbformat": 4, "cells": [{"cell_type": "markdown", "source": "![x](attachment:x.png)", "attachments": {"x.png": {"image/png": "?"}}}]}`},
		"quickstart.ipynb uses HTML's <script>":            {"books/examples/quickstart.ipynb": `{"nbformat": 4, "cells": [{"cell_type": "markdown", "source": "a <script>x()</script> b"}]}`},
		"loads https://x.org/q.png":                        {"README.md": "# n\n<img src=\"https://x.org/q.png\">\n"},
		"README.md links to none.png":                      {"README.md": "# n\nA <img src=\"none.png\"> b\n"},
		"expected":                                         {"nami/nami.go": "package nami\nfunc {"},
	} {
		out, err := buildSite(t, checkout(t, changed))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v; expected %q", err, want)
		}
		if left, _ := filepath.Glob(filepath.Dir(out) + "/*"); len(left) > 0 {
			t.Errorf("%v is left", left)
		}
	}
}

// A folder that holds something else is left alone, an earlier site is replaced.
func TestBuildReplaces(t *testing.T) {
	root, out := checkout(t, nil), t.TempDir()
	mine := filepath.Join(out, "thesis.tex")
	if err := os.WriteFile(mine, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Build(t.Context(), Options{Root: root, Out: out}); err == nil || !strings.Contains(err.Error(), "something else than an earlier site") {
		t.Errorf("the error is %v", err)
	}
	if err := os.Remove(mine); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Build(t.Context(), Options{Root: root, Out: out}); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(out, "concepts.html"))
		if err != nil || !strings.Contains(string(text), `<code class="tex">x_t = (1-t) x_0</code>`) {
			t.Errorf("without a typesetter formulas stay: %v\n%s", err, text)
		}
		if err := os.WriteFile(filepath.Join(out, "old.html"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRelative(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"index.html", "api/nami.html#X", "api/nami.html#X"},
		{"api/nami.html", "api/nami.html#X", "#X"},
		{"api/nami/path.html", "api/nami.html", "../nami.html"},
		{"api/nami/path.html", "api/nami/field.html#F", "field.html#F"},
		{"api/nami.html", "index.html", "../index.html"},
	} {
		if got := relative(c.from, c.to); got != c.want {
			t.Errorf("relative(%q, %q) = %q, expected %q", c.from, c.to, got, c.want)
		}
	}
}

// Formulas in texts that can't hold MathML are on one line, and a text isn't cut within one.
func TestFormulaTexts(t *testing.T) {
	b := &builder{formulas: []environment.Formula{
		{TeX: `x_t`, MathML: `<math><mrow><msub><mi>x</mi><mi>t</mi></msub></mrow></math>`},
		{TeX: `\frac{a+b}{\sqrt{c}}`, MathML: `<math><mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><msqrt><mi>c</mi></msqrt></mfrac></math>`},
		{TeX: `\sum_{i=1}^n`, MathML: `<math><munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover></math>`},
		{TeX: `e^{-t}`, MathML: `<math><msup><mi>e</mi><mrow><mo>−</mo><mi>t</mi></mrow></msup></math>`},
		{TeX: `\untypeset`},
	}}
	const text = "a \ufdd00\ufdd1, \ufdd01\ufdd1 and \ufdd02\ufdd1 with \ufdd03\ufdd1 \ufdd04\ufdd1"
	if got, want := b.plain(text), `a x_t, (a+b)/√(c) and ∑_(i=1)^n with e^(−t) \untypeset`; got != want {
		t.Errorf("the text is %q, expected %q", got, want)
	}
	for longest, want := range map[int]string{100: text, 9: "a \ufdd00\ufdd1, \ufdd01\ufdd1 …", 3: "a …"} {
		if got := cut(text, longest); got != want {
			t.Errorf("cut to %d it is %q, expected %q", longest, got, want)
		}
	}
}

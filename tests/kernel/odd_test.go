//go:build slow

package kernel

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/tests/internal/checkout"
)

// dot is a picture of one pixel, in base64.
const dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"

// object is what is written as a JSON object.
type object = map[string]any

// oddNotebook is a notebook in format 4.5 of a text and a cell that prints ok, with changes.
func oddNotebook(change func(nb, text, code object)) object {
	text := object{"cell_type": "markdown", "id": "text", "metadata": object{}, "source": "# Odd"}
	code := object{
		"cell_type": "code", "id": "code", "metadata": object{}, "source": "import \"fmt\"\n\n%%\nfmt.Println(\"o\" + \"k\")",
		"execution_count": nil, "outputs": []any{},
	}
	nb := object{"nbformat": 4, "nbformat_minor": 5, "metadata": object{}, "cells": []any{text, code}}
	change(nb, text, code)
	return nb
}

// Notebooks as other programs write them are executed and shown like those that keep to the
// format's schema, and what is written keeps to it.
func TestOddNotebooks(t *testing.T) {
	attach := func(source, name string, kindAndData ...any) func(nb, text, code object) {
		return func(_, text, _ object) {
			text["source"], text["attachments"] = source, object{name: object{kindAndData[0].(string): kindAndData[1]}}
		}
	}
	const png = "image/png"
	const shown = `src="data:image/png;base64,` + dot
	cases := map[string]struct {
		change func(nb, text, code object)
		page   string // in the page
		said   string
	}{
		"no ids":                 {func(_, text, code object) { delete(text, "id"); delete(code, "id") }, "", ""},
		"one id twice":           {func(_, text, code object) { text["id"] = "code" }, "", ""},
		"ids that aren't":        {func(_, text, code object) { text["id"], code["id"] = "a b", 7 }, "", ""},
		"ids in an older format": {func(nb, _, _ object) { nb["nbformat_minor"] = 2 }, "", ""},
		"an older format":        {func(nb, text, code object) { nb["nbformat_minor"] = 0; delete(text, "id"); delete(code, "id") }, "", ""},
		"a newer format":         {func(nb, _, _ object) { nb["nbformat_minor"] = 9 }, "", ""},
		"no minor":               {func(nb, _, _ object) { delete(nb, "nbformat_minor") }, "", ""},
		"bare cells": {func(nb, _, _ object) {
			nb["cells"] = []any{object{"cell_type": "markdown"}, object{"cell_type": "raw"}, object{"cell_type": "code", "source": "import \"fmt\"\n%%\nfmt.Println(\"ok\")"}}
		}, "", ""},
		"nulls": {func(nb, text, code object) {
			nb["metadata"], text["metadata"], text["source"], code["outputs"] = nil, nil, nil, nil
		}, "", ""},
		"lines": {func(_, text, code object) {
			text["source"] = []string{"# Odd\n", "*very*"}
			code["source"] = []string{"import \"fmt\"\n", "%%\n", "fmt.Println(\"ok\")"}
		}, "<em>very</em>", ""},
		"half metadata": {func(nb, _, _ object) {
			nb["metadata"] = object{"kernelspec": object{"language": "go"}, "language_info": object{}, "widgets": object{"application/vnd.jupyter.widget-state+json": object{}}}
		}, "", ""},
		"half outputs": {func(_, _, code object) {
			code["outputs"] = []any{object{"output_type": "display_data", "data": object{png: "?"}}, object{"output_type": "stream"}}
			code["execution_count"] = "7"
		}, "", ""},
		"fields of other cells": {func(_, text, code object) {
			text["outputs"], text["execution_count"], code["attachments"] = []any{}, nil, object{"x": object{}}
		}, "", "warning: cell 2: a code cell has no attachments: left out"},
		"tags": {func(_, text, code object) {
			text["metadata"], code["metadata"] = object{"tags": "a, b"}, object{"tags": []string{"a", "a", "", "b,c"}}
		}, "", ""},
		"metadata of another kind": {func(_, _, code object) { code["metadata"] = object{"collapsed": "yes"} }, "", "cell 2: its metadata collapsed is left out: 'yes' is not of type 'boolean'"},
		"authors of another kind":  {func(nb, _, _ object) { nb["metadata"] = object{"authors": 7} }, "", "the notebook: its metadata authors is left out: 7 is not of type 'array'"},
		"half a character":         {func(_, text, _ object) { text["source"] = json.RawMessage(`"half \ud83d of it"`) }, "half ? of it", ""},
		"a name that is no tag":    {attach("![x](attachment:x.png)", `"><script>.png`, png, dot), "", `shows the attachment x.png, which it doesn't have`},

		"attached":                 {attach("![x](attachment:x.png)", "x.png", png, dot), shown, ""},
		"attached in lines":        {attach("![x](attachment:x.png)", "x.png", png, []string{dot[:20] + "\n", dot[20:]}), shown, ""},
		"attached, encoded":        {attach("![x](attachment:three%20dots.png)", "three dots.png", png, dot), shown, ""},
		"attached, encoded twice":  {attach("![x](attachment:three%20dots.png)", "three%20dots.png", png, dot), shown, ""},
		"attached, with brackets":  {attach("![x](<attachment:a (1) b.png>)", "a (1) b.png", png, dot), shown, ""},
		"attached, by reference":   {attach("![x][r]\n\n[r]: attachment:%C3%BC.png \"title\"", "ü.png", png, dot), shown, ""},
		"attached, decomposed":     {attach("![x](attachment:%C3%BC.png)", "u\u0308.png", png, dot), shown, ""},
		"attached, percent":        {attach("![x](attachment:100%.png)", "100%.png", png, dot), shown, ""},
		"attached, ampersand":      {attach("![x](attachment:a&b'c.png)", "a&b'c.png", png, dot), shown, ""},
		"attached, in HTML":        {attach(`Half: <img src="attachment:x.png" width="20"/>`, "x.png", png, dot), shown, ""},
		"attached, in a block":     {attach("<figure>\n<img width=20 src='attachment:a%20b.png'>\n</figure>", "a b.png", png, dot), shown, ""},
		"attached, without quotes": {attach("<img src=attachment:x.png>", "x.png", png, dot), shown, ""},
		"attached, in a table":     {attach("| a |\n|---|\n| ![x](attachment:x.png) |", "x.png", png, dot), shown, ""},
		"attached, as a drawing":   {attach("![x](attachment:x.svg)", "x.svg", "image/svg+xml", "<svg/>"), `src="data:image/svg+xml;base64,PHN2Zy8+"`, ""},
		"attached, as a file":      {attach("[x](attachment:x.pdf)", "x.pdf", "application/pdf", "AAAA"), `href="data:application/pdf;base64,AAAA"`, ""},
		"attached, only named":     {attach("so: `attachment:x.png`", "x.png", png, dot), "<code>attachment:x.png</code>", ""},
		"attached, missing":        {attach("![x](attachment:y.png)", "x.png", png, dot), `src="attachment:y.png"`, "cell 1 shows the attachment y.png, which it doesn't have"},
		"attached, damaged":        {attach("![x](attachment:x.png)", "x.png", png, `"><b>`), "", "cell 1 shows the attachment x.png"},
		"attached, of no type":     {attach("![x](attachment:x.png)", "x.png", `"><b>`, dot), "", "cell 1 shows the attachment x.png"},
	}
	kernel := checkout.BuildKernel(t)
	dir, out := t.TempDir(), t.TempDir()
	for name, c := range cases {
		text, err := json.Marshal(oddNotebook(c.change))
		if name == "lines" {
			text = append([]byte("\ufeff"), text...) // a byte order mark, too
		}
		if err := errors.Join(err, os.WriteFile(filepath.Join(dir, name+".ipynb"), text, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	said, code := kernel.Run(t, "run", "--no-cache", "-j", "2", "--out", out, dir)
	if want := fmt.Sprintf("%d passed, 0 failed", len(cases)); code != 0 || !strings.Contains(said, want) {
		t.Errorf("exit code %d, expected 0 and %q:\n%s", code, want, said)
	}
	for name, c := range cases {
		executed, err := os.ReadFile(filepath.Join(out, name+".ipynb"))
		page, pageErr := os.ReadFile(filepath.Join(out, name+".html"))
		if err := errors.Join(err, pageErr); err != nil {
			t.Error(err)
		}
		if !bytes.Contains(executed, []byte(`ok\n`)) {
			t.Errorf("%s: the output isn't in the notebook:\n%s", name, executed)
		}
		if !bytes.Contains(page, []byte(c.page)) || bytes.Contains(page, []byte("nami-attachment")) {
			t.Errorf("%s: the page isn't as expected, with %s", name, c.page)
		}
		var warnings []string
		for line := range strings.Lines(said) {
			if strings.HasPrefix(line, name+".ipynb  warning: ") {
				warnings = append(warnings, line)
			}
		}
		if c.said == "" && len(warnings) > 0 || c.said != "" && (len(warnings) != 1 || !strings.Contains(warnings[0], c.said)) {
			t.Errorf("%s: the warnings are %q, expected %q", name, warnings, c.said)
		}
	}
}

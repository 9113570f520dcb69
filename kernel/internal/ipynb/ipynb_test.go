package ipynb

import (
	"fmt"
	"strings"
	"testing"
)

// A notebook is read in each of the forms that programs write.
func TestParse(t *testing.T) {
	const plain = `{"nbformat": 4, "metadata": {"kernelspec": {"name": "nami", "language": "go"}}, "cells": [
 {"cell_type": "code", "source": "a\nb", "metadata": {"tags": ["parameters", "hidden"]}},
 {"cell_type": "markdown", "source": "", "attachments": {"x.png": {"image/png": "AAAA"}}}]}`
	for name, text := range map[string]string{
		"as the format says": plain,
		"byte order mark":    "\ufeff" + plain,
		"carriage returns":   strings.ReplaceAll(plain, "\n", "\r\n"),
		"lines":              strings.Replace(plain, `"a\nb"`, `["a\n", "b"]`, 1),
		"tags in one string": strings.Replace(plain, `["parameters", "hidden"]`, `"parameters, hidden"`, 1),
		"tags with commas":   strings.Replace(plain, `["parameters", "hidden"]`, `["parameters,hidden", ""]`, 1),
		"data in lines":      strings.Replace(plain, `"AAAA"`, `["AA", "AA"]`, 1),
		"null":               strings.Replace(plain, `"source": "",`, `"source": null, "outputs": null, "metadata": null,`, 1),
		"nothing":            strings.Replace(plain, `"source": "",`, ``, 1),
		"unknown fields":     strings.Replace(plain, `"nbformat": 4,`, `"nbformat": 4, "nbformat_minor": 99, "worksheets": [],`, 1),
	} {
		n, err := Parse([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := fmt.Sprintf("%s %q %v %q %s", n.Metadata.Kernel.Name, n.Cells[0].Source, n.Cells[0].Metadata.Tags, n.Cells[1].Source, n.Cells[1].Attachments["x.png"].Get("image/png"))
		if want := `nami "a\nb" [parameters hidden] "" AAAA`; got != want {
			t.Errorf("%s: it was read as %s, expected %s", name, got, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, expected string }{
		"broken":     {"{\n \"cells\": [\n}", "its JSON is broken: line 3, column 1: invalid character '}'"},
		"kind":       {`{"nbformat": 4, "cells": 7}`, "its field cells is a number: line 1"},
		"list":       {`[1]`, "its JSON isn't a notebook's: line 1"},
		"tags":       {`{"nbformat": 4, "cells": [{"cell_type": "code", "metadata": {"tags": [1]}}]}`, "cannot unmarshal number"},
		"source":     {`{"nbformat": 4, "cells": [{"cell_type": "code", "source": 1}]}`, "cannot unmarshal number"},
		"old":        {`{"nbformat": 3, "worksheets": []}`, "nbformat is 3, expected 4"},
		"future":     {`{"nbformat": 5, "cells": []}`, "nbformat is 5, expected 4"},
		"no version": {`{"cells": []}`, "nbformat is 0, expected 4"},
		"comma":      {"{\"nbformat\": 4,\n \"é\": 1 \"cells\": []}", "line 2, column 9: invalid character '\"'"},
		"cut off":    {"{\"nbformat\": 4,\n", "line 1, column 16: unexpected end"},
		"empty":      {"", "JSON is broken: line 1, column 1"},
		"heading":    {`{"nbformat": 4, "cells": [{"cell_type": "code"}, {"cell_type": "heading"}]}`, `cell 2 has the type "heading"`},
		"Latin-1":    {"{\"nbformat\": 4,\n\"a\": \"\xe9\"}", "line 2 isn't UTF-8"},
		"UTF-16":     {"\xff\xfe{\x00}\x00", "line 1 isn't UTF-8"},
	} {
		if _, err := Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.expected) {
			t.Errorf("%s: the error is %v; expected %q", name, err, c.expected)
		}
	}
	if _, err := Read("none.ipynb"); err == nil {
		t.Error("a file that isn't there was read")
	}
}

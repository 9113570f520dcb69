package main

import (
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"
)

// failure is the error of a cell: one line, and the details that are folded away.
type failure struct {
	line string
	rest string // the details, as plain text; empty if there are none
}

var (
	colours = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)
	// GoNB points at a line of a cell so, in the compiler's errors and in stack traces.
	pointer = regexp.MustCompile(`Cell \[?(\d+)\]? Line (\d+)|Cell\[(\d+)\]: Line (\d+)|Cell Line (\d+)`)
	// A place in a stack trace is the program's path, behind GoNB's pointer, unless that was
	// written in pieces.
	place = regexp.MustCompile(`(?: *\[\[ (Cell [^\]]*\]? Line \d+) \]\] )?(\S*gonb_\w+/main(?:_test)?\.go):(\d+)(?: \+0x[0-9a-f]+)?`)
	// How GoNB says that a program ended.
	ending = regexp.MustCompile(`(?m)^(\^C\n)?(exit status \d+|signal: .+)\n?`)
	// What Go's runtime says first when a program breaks down, and what [nb.Check] says.
	breakdown = regexp.MustCompile(`(?m)^(panic: |fatal error: |runtime: out of memory|nami: )`)
)

// explain makes a failure of what GoNB says of a cell: the value and the lines of its error,
// and what the program wrote to standard error last.
func explain(c *cell, value string, trace []string, find finder) failure {
	switch {
	case breakdown.MatchString(colours.ReplaceAllString(c.held.String(), "")):
		return broken(c, find)
	case ending.MatchString(value):
		return failure{line: at(c, 0) + strings.TrimSpace(value)}
	}
	return refused(c, value, trace)
}

// finder is the line of a cell, and the cell's number, from which GoNB made a line of a
// program. 0 if it can't tell.
type finder func(path string, line int) (number, cellLine int)

// broken is the failure of a program that broke down.
func broken(c *cell, find finder) failure {
	text := ending.ReplaceAllString(colours.ReplaceAllString(c.held.String(), ""), "")
	where := ""
	text = place.ReplaceAllStringFunc(text, func(found string) string {
		parts := place.FindStringSubmatch(found)
		spotted := parts[1]
		if spotted == "" {
			line, _ := strconv.Atoi(parts[3]) // digits
			if number, n := find(parts[2], line); n > 0 {
				spotted = fmt.Sprintf("Cell [%d] Line %d", number, n)
			}
		}
		if spotted == "" {
			return found
		}
		if where == "" {
			where = spotted
		}
		return strings.TrimSuffix(spot(c, spotted), ": ")
	})
	first, rest, _ := strings.Cut(strings.TrimSpace(text), "\n")
	rest = strings.TrimSpace(rest)
	what := strings.TrimSuffix(strings.TrimSuffix(first, " [recovered]"), " [recovered, repanicked]")
	if told, ok := strings.CutPrefix(what, checked); ok {
		// Its last line is the place; there is more only of a longer error.
		rest = strings.TrimSpace(rest[:max(0, strings.LastIndexByte(rest, '\n'))])
		what = told
	}
	return failure{line: spot(c, where) + what, rest: rest}
}

// checked is how an error begins that nb.Check reports.
const checked = "nami: "

// refused is the failure of a cell that isn't a program.
func refused(c *cell, value string, trace []string) failure {
	type mistake struct{ where, what string }
	var found []mistake
	for _, entry := range trace {
		entry = strings.TrimSpace(colours.ReplaceAllString(entry, ""))
		lines := strings.Split(entry, "\n")
		what := lines[len(lines)-1]
		where := ""
		if pointer.MatchString(lines[0]) && len(lines) > 1 {
			where = lines[0]
		}
		if what == "" || strings.HasPrefix(what, "# ") || ending.MatchString(what) || where == "" && len(found) > 0 && !strings.Contains(what, ":") {
			continue
		}
		found = append(found, mistake{where, what})
	}
	// What has a place in the cell comes first; what is only unused may be so by another
	// mistake.
	first, best := 0, -1
	for i, m := range found {
		rank := 0
		if m.where != "" {
			rank++
		}
		if !strings.Contains(m.what, "not used") {
			rank++
		}
		if rank > best {
			first, best = i, rank
		}
	}
	if len(found) == 0 {
		line, rest, _ := strings.Cut(strings.TrimSpace(value), "\n")
		return failure{line: at(c, 0) + line, rest: strings.TrimSpace(rest)}
	}
	f := failure{line: spot(c, found[first].where) + advise(c, found[first].what)}
	var rest []string
	for i, m := range found {
		if i != first {
			rest = append(rest, spot(c, m.where)+m.what)
		}
	}
	switch n := len(rest); {
	case strings.HasPrefix(found[first].what, "expected declaration"): // what follows is of the same cause
	case n == 1:
		f.line += " (and 1 more error)"
		f.rest = rest[0]
	case n > 1:
		f.line += fmt.Sprintf(" (and %d more errors)", n)
		f.rest = strings.Join(rest, "\n")
	}
	return f
}

var (
	statement  = regexp.MustCompile(`^expected declaration, found (.*)`)
	notThere   = regexp.MustCompile(`package (\S+) is not in std`)
	notPinned  = regexp.MustCompile(`no required module provides package (\S+?);|cannot find module providing package (\S+?)(?::|$)|module (\S+): .*GOPROXY=off`)
	unusedName = regexp.MustCompile(`^declared and not used: (\w+)`)
)

// advise says what to do about a mistake of the compiler's words.
func advise(c *cell, what string) string {
	switch {
	case statement.MatchString(what) && !c.runs():
		return "this is a statement: put a line %% above the statements of a cell"
	case notThere.MatchString(what):
		return fmt.Sprintf("there is no package %s: if it is a folder beside the notebook, make a module of the notebook's folder by `!go mod init mine`, and import \"mine/%[1]s\"", notThere.FindStringSubmatch(what)[1])
	case notPinned.MatchString(what):
		found := notPinned.FindStringSubmatch(what)
		return fmt.Sprintf("the package %s belongs to no module that cells see: those that nami's go.mod lists, and the module that the notebook's folder is in", found[1]+found[2]+found[3])
	case what == "expected '}', found 'EOF'":
		return "a bracket { isn't closed"
	case unusedName.MatchString(what):
		return what + ": use it, or write _ for its name"
	}
	return what
}

// spot is a place that GoNB points at, in our words; without one it is the cell.
func spot(c *cell, where string) string {
	found := pointer.FindStringSubmatch(where)
	if found == nil {
		return at(c, 0)
	}
	number := func(texts ...string) int {
		n, _ := strconv.Atoi(strings.Join(texts, "")) // one of them is digits, or none is
		return n
	}
	if n := number(found[1], found[3]); n > 0 {
		c = &cell{number: n}
	}
	return at(c, number(found[2], found[4], found[5]))
}

// at names a line of a cell, from 1. 0 is the whole cell.
func at(c *cell, line int) string {
	if c.number == 0 { // asked for in silence
		return ""
	}
	if line < 1 {
		return fmt.Sprintf("cell %d: ", c.number)
	}
	return fmt.Sprintf("cell %d, line %d: ", c.number, line)
}

// folded is the rest of a failure as HTML.
func (f failure) folded() string {
	return "<details><summary>the rest of what it said</summary><pre>" + html.EscapeString(f.rest) + "</pre></details>"
}

package notebook

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// failure is how a cell failed, in the kernel's words.
type failure struct {
	Kind   string   `json:"kind"`   // error, shell, timeout, died, interrupted
	Source string   `json:"source"` // of the cell
	Stderr string   `json:"stderr"`
	Trace  []string `json:"trace"`
}

var (
	ansi = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)
	// GoNB points at a cell's line so, in the compiler's errors and in stack traces.
	cellLine = regexp.MustCompile(`Cell ?\[(\d+)\]:? Line (\d+)`)
	// A program that ends itself leaves no stack trace.
	exits = regexp.MustCompile(`\bos\.Exit\(|\blog\.(Fatal|Panic)|\bpanic\(|\bmust\(|\bcheck\(`)
)

// words are what the kernel said, as plain text. How a program ended is both on stderr
// and in the trace, and is said once.
func (f failure) words() string {
	said := plain(f.Stderr)
	for _, line := range plain(strings.Join(f.Trace, "\n")) {
		if len(said) == 0 || said[len(said)-1] != line {
			said = append(said, line)
		}
	}
	return strings.Join(said, "\n")
}

// plain are the lines of a text that aren't empty, without colours.
func plain(text string) (lines []string) {
	text = strings.ReplaceAll(ansi.ReplaceAllString(text, ""), "\r", "\n")
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, " \t\n"); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// line is the number, from 1, of the line that failed in the cell of that number. 0
// means that nothing tells: a program ran out of time, or one of several lines can
// have ended it.
func (f failure) line(cell int, words string) int {
	lines := strings.Split(f.Source, "\n")
	for _, found := range cellLine.FindAllStringSubmatch(words, -1) {
		n, err := strconv.Atoi(found[2])
		if err == nil && found[1] == strconv.Itoa(cell) && n >= 1 && n <= len(lines) {
			return n
		}
	}
	suspect := func(line string) bool { return exits.MatchString(line) }
	switch f.Kind {
	case "shell":
		suspect = func(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "!") }
	case "error":
	default:
		return 0
	}
	only := 0
	for i, line := range lines {
		if suspect(line) {
			if only != 0 {
				return 0
			}
			only = i + 1
		}
	}
	return only
}

// explain says in plain text what failed where.
func (f failure) explain(cell int, timeout time.Duration) string {
	words := f.words()
	var what string
	switch f.Kind {
	case "timeout":
		what = fmt.Sprintf("it ran longer than %v: give more by --timeout", timeout)
	case "died":
		what = "the kernel died"
	case "interrupted":
		what = "interrupted"
	case "shell":
		what = "a shell line failed"
	case "error":
		if strings.Contains(words, "expected declaration") && !strings.Contains(f.Source, "%%") {
			what = "a cell holds declarations: put a line %% above its statements"
		}
	}
	where := fmt.Sprintf("cell %d", cell)
	if n := f.line(cell, words); n > 0 {
		where += fmt.Sprintf(", line %d: %s", n, strings.TrimSpace(strings.Split(f.Source, "\n")[n-1]))
	} else if first := firstCode(f.Source); first != "" {
		where += ", which begins: " + first
	}
	said := []string{where}
	for _, more := range []string{what, words} {
		if more != "" {
			said = append(said, "  "+strings.ReplaceAll(more, "\n", "\n  "))
		}
	}
	return strings.Join(said, "\n")
}

// firstCode is the first line of a cell that isn't empty.
func firstCode(source string) string {
	for line := range strings.Lines(source) {
		if line = strings.TrimSpace(line); line != "" && line != "%%" {
			return line
		}
	}
	return ""
}

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
	Kind   string   `json:"kind"`   // error, timeout, died, interrupted
	Source string   `json:"source"` // of the cell
	Stderr string   `json:"stderr"`
	Trace  []string `json:"trace"`  // the line that the kernel makes of an error
	Folded string   `json:"folded"` // the rest of it
}

var (
	ansi = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)
	// The kernel says so where an error is.
	cellLine = regexp.MustCompile(`^cell (\d+)(?:, line (\d+))?: `)
	// A program that ends itself leaves no stack trace.
	exits = regexp.MustCompile(`\bos\.Exit\(|\blog\.(Fatal|Panic)|\bpanic\(|\bmust\(|\bcheck\(`)
)

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

// line is the number, from 1, of the line that failed in the cell of that number, and what
// the kernel says of it. 0 means that nothing tells: a program ran out of time, or one of
// several lines can have ended it.
func (f failure) line(cell int) (n int, says string) {
	says = strings.Join(plain(strings.Join(f.Trace, "\n")), "\n")
	lines := strings.Split(f.Source, "\n")
	if found := cellLine.FindStringSubmatch(says); found != nil && found[1] == strconv.Itoa(cell) {
		says = says[len(found[0]):]
		if n, err := strconv.Atoi(found[2]); err == nil && n >= 1 && n <= len(lines) {
			return n, says
		}
	}
	if f.Kind != "error" {
		return 0, says
	}
	for i, line := range lines {
		if exits.MatchString(line) {
			if n != 0 {
				return 0, says
			}
			n = i + 1
		}
	}
	return n, says
}

// explain says in plain text what failed where.
func (f failure) explain(cell int, timeout time.Duration) string {
	var what string
	switch f.Kind {
	case "timeout":
		what = fmt.Sprintf("it ran longer than %v: give more by --timeout", timeout)
	case "died":
		what = "the kernel died"
	case "interrupted":
		what = "interrupted"
	}
	n, says := f.line(cell)
	where := fmt.Sprintf("cell %d", cell)
	if n > 0 {
		where += fmt.Sprintf(", line %d: %s", n, strings.TrimSpace(strings.Split(f.Source, "\n")[n-1]))
	} else if first := firstCode(f.Source); first != "" {
		where += ", which begins: " + first
	}
	said := []string{where}
	for _, more := range []string{what, says, strings.Join(plain(f.Stderr), "\n"), strings.Join(plain(f.Folded), "\n")} {
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

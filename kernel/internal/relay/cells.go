package main

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// cell is a cell that was given to GoNB, and how it goes.
type cell struct {
	source string
	number int // how Jupyter counts it, once GoNB has said so

	// What the program wrote to standard error, from where it broke down: nobody has seen
	// it yet. Of a cell with shell lines it is what was written lately, as a command that
	// fails says why just before it ends.
	held  strings.Builder
	since time.Time // of the oldest text of a shell line that is held

	ended   chan struct{} // closed when GoNB is done with it
	failed  *failure      // read after ended
	waiting bool          // ended isn't closed
}

// patience is how long the words of a shell line are held back.
const patience = time.Second

// runs says whether a cell has a line that makes what follows statements.
func (c *cell) runs() bool {
	return regexp.MustCompile(`(?m)^(//gonb:)?(%%|%main|%exec|%test)`).MatchString(c.source)
}

// shells says whether a cell has lines for the shell, or is a script, and which line it is,
// from 1, if there is only one.
func (c *cell) shells() (line int, any bool) {
	for i, text := range strings.Split(c.source, "\n") {
		if text = strings.TrimPrefix(text, "//gonb:"); i == 0 && regexp.MustCompile(`^%%(bash|sh|script)\b`).MatchString(text) {
			return 0, true
		}
		if strings.HasPrefix(text, "!") {
			if any {
				return 0, true
			}
			line, any = i+1, true
		}
	}
	return line, any
}

// hear takes what a cell wrote to standard error, and returns what is to be shown at once.
func (c *cell) hear(text string, now time.Time) (shown string) {
	if _, shell := c.shells(); shell {
		shown = c.overdue(now)
		if c.held.Len() == 0 {
			c.since = now
		}
		c.held.WriteString(text)
		return shown
	}
	if c.held.Len() == 0 && !ends(text) {
		found := breakdown.FindStringIndex(colours.ReplaceAllString(text, ""))
		if found == nil {
			return text
		}
		start := breakdown.FindStringIndex(text)
		if start == nil { // coloured
			start = []int{0}
		}
		shown, text = text[:start[0]], text[start[0]:]
	}
	c.held.WriteString(text)
	return shown
}

// ends says whether a text is what GoNB adds when a program has failed, which its error says
// again.
func ends(text string) bool {
	place := ending.FindStringIndex(text)
	return place != nil && place[0] == 0 && place[1] == len(text)
}

// overdue returns the words of shell lines that were held long enough.
func (c *cell) overdue(now time.Time) (shown string) {
	if _, shell := c.shells(); shell && c.held.Len() > 0 && now.Sub(c.since) > patience {
		shown = c.held.String()
		c.held.Reset()
	}
	return shown
}

// cells are those that were given to GoNB, by the message that asked for it.
type cells struct {
	mu      sync.Mutex
	all     map[string]*cell
	sources map[int]string // of all that were run, by number
}

// number notes how Jupyter counts a cell.
func (c *cells) number(of *cell, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	of.number = n
	c.sources[n] = of.source
}

// find implements [finder]: the line that reads like the program's, in the cell that was run
// last of those that have it, and in that where the most lines around it read alike.
func (c *cells) find(path string, line int) (number, cellLine int) {
	text, err := os.ReadFile(path)
	program := strings.Split(string(text), "\n")
	if err != nil || line < 1 || line > len(program) {
		return 0, 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	best := 0
	for _, n := range slices.Backward(slices.Sorted(maps.Keys(c.sources))) {
		source := strings.Split(c.sources[n], "\n")
		for i := range source {
			if alike := alike(source, i, -1, program, line-1) + alike(source, i, 1, program, line-1); alike > best {
				best, number, cellLine = alike, n, i+1
			}
		}
	}
	return number, cellLine
}

// alike is how many lines in a row are the same in two texts, from a line of each on.
func alike(a []string, i, step int, b []string, j int) (n int) {
	for i >= 0 && i < len(a) && j >= 0 && j < len(b) && strings.TrimSpace(a[i]) == strings.TrimSpace(b[j]) {
		n, i, j = n+1, i+step, j+step
	}
	return n
}

// ask notes that a cell was given to GoNB.
func (c *cells) ask(id, source string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all[id] = &cell{source: source, ended: make(chan struct{}), waiting: true}
}

// get returns the cell of a message, nil if it is of none.
func (c *cells) get(id string) *cell {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all[id]
}

// forget drops a cell that is answered.
func (c *cells) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.all, id)
}

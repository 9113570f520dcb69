package csv

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/nami-flow/go-nami/nami/internal/table"
)

// parser reads the rows of a piece.
type parser struct {
	*File
	b       []byte
	at      int
	line    int // of the file
	row     int // of the piece
	columns []column
	scratch []byte // the last value in quotes
	jumps   []jump // by row of the piece
}

// column are the values of a column in a piece. Those that are missing have a zero there.
type column struct {
	kind     kind
	wanted   bool
	decimals bool // most values may be those of [decimal]
	wider    kind // of a value that didn't fit kind
	floats   []float64
	integers []int64
	booleans []bool
	texts    []string
	missing  []bool // shorter than the values if none is missing at the end
	absent   int    // values of a column of unknown kind

	known map[string]string // texts that came before, for columns of few different ones
	few   []string          // the first of them, found sooner by looking at each
	arena []byte            // of those that are all different, to be made a string at once
	ends  []int             // in the arena, for the texts from len(texts)-len(ends) on
}

// parse reads all rows of a piece, of the columns that are wanted. It reads them again with
// wider kinds where a value doesn't fit. Values are put where there is room for them, if there
// is.
func (f *File) parse(b []byte, line int, kinds []kind, wanted []bool, into room) (*parser, error) {
	for {
		p := &parser{File: f, b: b, line: line, columns: make([]column, len(f.names))}
		for j := range p.columns {
			c := &p.columns[j]
			c.kind, c.wider, c.wanted = kinds[j], kinds[j], wanted[j]
			c.decimals = c.kind == float && c.wanted && !p.numeric
			if c.wanted {
				c.grow(j, into)
			}
		}
		if err := p.rows(); err != nil {
			return nil, err
		}
		fits := true
		next := slices.Clone(kinds)
		for j, c := range p.columns {
			fits = fits && c.wider == c.kind
			next[j] = c.wider
		}
		if fits {
			for j := range p.columns {
				p.columns[j].finish(p.row)
			}
			return p, nil
		}
		kinds = next
	}
}

// grow makes room for values of column j.
func (c *column) grow(j int, into room) {
	switch c.kind {
	case float:
		c.floats = part[float64](into, j)
	case integer:
		c.integers = part[int64](into, j)
	case boolean_:
		c.booleans = part[bool](into, j)
	case text:
		c.texts = part[string](into, j)
		c.known, c.few = map[string]string{}, make([]string, 0, 6)
	}
}

// rows reads until the end.
func (p *parser) rows() error {
	last := len(p.columns) - 1
	expected := p.line
	for {
		p.blank()
		if p.at == len(p.b) {
			return nil
		}
		if p.line != expected || p.row == 0 {
			p.jumps = append(p.jumps, jump{p.row, p.line})
		}
		first := p.line
		for j := range p.columns {
			c := &p.columns[j]
			if c.decimals && j < last {
				if v, end, ok := decimal(p.b, p.at); ok && p.b[end] == p.delimiter {
					c.floats = append(c.floats, v)
					p.at = end + 1
					continue
				}
			}
			if err := p.value(c, j); err != nil {
				return err
			}
			more := p.at < len(p.b) && p.b[p.at] == p.delimiter
			if more == (j == last) {
				return p.ragged(first, j+1)
			}
			if more {
				p.at++
			}
		}
		p.endLine()
		expected = first + 1
		p.row++
	}
}

// ragged is the error of a row that has some values, and more or fewer than there are
// columns.
func (p *parser) ragged(line, values int) error {
	for p.at < len(p.b) && p.b[p.at] == p.delimiter {
		p.at++
		if _, _, err := p.field(); err != nil {
			return err
		}
		values++
	}
	return fmt.Errorf("line %d has %d values, and there are %d columns: each line needs a value, or nothing between two delimiters, for each column", line, values, len(p.columns))
}

// blank goes past empty lines.
func (p *parser) blank() {
	for p.at < len(p.b) {
		switch {
		case p.b[p.at] == '\n':
			p.at++
		case p.b[p.at] == '\r' && p.at+1 < len(p.b) && p.b[p.at+1] == '\n':
			p.at += 2
		default:
			return
		}
		p.line++
	}
}

// endLine goes past the end of a line.
func (p *parser) endLine() {
	if p.at < len(p.b) && p.b[p.at] == '\r' {
		p.at++
	}
	if p.at < len(p.b) && p.b[p.at] == '\n' {
		p.at++
		p.line++
	}
}

// ends says whether a value ends at a place.
func (p *parser) ends(at int) bool {
	return at == len(p.b) || p.b[at] == p.delimiter || p.b[at] == '\n' || p.b[at] == '\r' && (at+1 == len(p.b) || p.b[at+1] == '\n')
}

// value reads the next value into a column.
func (p *parser) value(c *column, j int) error {
	if (c.kind == float || c.kind == integer) && c.wanted && !p.numeric {
		if n, ok := scan(p.b, p.at); ok && p.ends(n.end) {
			if done, err := p.number(c, j, n, p.b[p.at:n.end]); done || err != nil {
				p.at = n.end
				return err
			}
		}
	}
	raw, quoted, err := p.field()
	if err != nil || !c.wanted {
		return err
	}
	if (!quoted && len(raw) <= p.longestMissing && p.missing[string(raw)]) || (quoted && len(raw) == 0 && !p.quoted && c.kind != text) {
		c.miss(p.row)
		return nil
	}
	return p.keep(c, j, raw, quoted)
}

// number keeps a number in a column of numbers, if it fits.
func (p *parser) number(c *column, j int, n number, digits []byte) (done bool, err error) {
	if c.kind == integer {
		v, ok := n.int()
		if !n.integer || !ok {
			return false, nil
		}
		c.integers = append(c.integers, v)
		return true, nil
	}
	v := n.float(digits)
	if math.IsInf(v, 0) {
		return true, p.wrong(j, digits, "is too large for a float64: rescale the column, or list it in Text")
	}
	if n.integer && n.mantissa > 1<<53 && !exact(v, string(digits)) {
		return true, p.wrong(j, digits, fmt.Sprintf("is an integer that float64 rounds to %.0f: list the column in Text to keep its digits, or write it with a decimal point if it may be rounded", v))
	}
	c.floats = append(c.floats, v)
	return true, nil
}

// keep keeps a value that isn't missing, or notes that the column is of a wider kind.
func (p *parser) keep(c *column, j int, raw []byte, quoted bool) error {
	if c.kind == text {
		if !utf8.Valid(raw) {
			return p.wrong(j, raw, "isn't UTF-8 text: convert the file, with iconv for instance")
		}
		c.text(raw)
		return nil
	}
	found := text
	if !quoted || !p.quoted {
		trimmed := bytes.TrimSpace(raw)
		if v, ok := boolean(trimmed); ok {
			if found = boolean_; c.kind == boolean_ {
				c.booleans = append(c.booleans, v)
				return nil
			}
		} else if v, ok := special(trimmed); ok {
			if found = float; c.kind == float {
				c.floats = append(c.floats, v)
				return nil
			}
		} else if n, ok := scan(trimmed, 0); ok && n.end == len(trimmed) {
			if c.kind == float || c.kind == integer {
				if done, err := p.number(c, j, n, trimmed); done || err != nil {
					return err
				}
			}
			if found = float; n.integer {
				if _, ok := n.int(); ok {
					found = integer
				}
			}
		}
	}
	c.wider = join(c.wider, found)
	c.miss(p.row)
	return nil
}

// wrong is the error of a value.
func (p *parser) wrong(j int, raw []byte, what string) error {
	return fmt.Errorf("line %d, column %q: %s %s", p.line, p.names[j], table.Short(string(raw)), what)
}

// miss keeps a missing value.
func (c *column) miss(row int) {
	switch c.kind {
	case unknown:
		c.absent++
		return
	case float:
		c.floats = append(c.floats, math.NaN())
		return
	case integer:
		c.integers = append(c.integers, 0)
	case boolean_:
		c.booleans = append(c.booleans, false)
	case text:
		c.settle()
		c.texts = append(c.texts, "")
	}
	for len(c.missing) < row {
		c.missing = append(c.missing, false)
	}
	c.missing = append(c.missing, true)
}

// most is how many different texts a column of few different ones has in a piece.
const most = 256

// text keeps a text. Texts that come again and again are kept once; when there have been too
// many different ones, those that follow are kept together.
func (c *column) text(raw []byte) {
	for _, s := range c.few {
		if s == string(raw) {
			c.texts = append(c.texts, s)
			return
		}
	}
	if c.known != nil {
		if s, ok := c.known[string(raw)]; ok {
			c.texts = append(c.texts, s)
			return
		}
		if len(c.known) < most {
			s := string(raw)
			c.known[s] = s
			if len(c.few) < cap(c.few) {
				c.few = append(c.few, s)
			}
			c.texts = append(c.texts, s)
			return
		}
		c.known, c.few = nil, nil
	}
	c.arena = append(c.arena, raw...)
	c.ends = append(c.ends, len(c.arena))
	c.texts = append(c.texts, "")
}

// settle makes strings of the arena.
func (c *column) settle() {
	all, start, first := string(c.arena), 0, len(c.texts)-len(c.ends)
	for i, end := range c.ends {
		c.texts[first+i] = all[start:end]
		start = end
	}
	c.arena, c.ends = c.arena[:0], c.ends[:0]
}

// finish makes columns whole: missing has as many values as there are rows, or is nil.
func (c *column) finish(rows int) {
	c.settle()
	c.arena, c.ends, c.known, c.few = nil, nil, nil, nil
	if c.missing == nil {
		return
	}
	for len(c.missing) < rows {
		c.missing = append(c.missing, false)
	}
}

// field reads a value, and stops where it ends. What it returns is valid until the next call.
func (p *parser) field() (raw []byte, quoted bool, err error) {
	start := p.at
	if start < len(p.b) && p.b[start] == '"' {
		raw, err = p.quotes()
		return raw, true, err
	}
	i := start
	for i < len(p.b) && p.b[i] != p.delimiter && p.b[i] != '\n' {
		if p.b[i] == '"' {
			return nil, false, fmt.Errorf("line %d has a quote within the value %s: put the whole value into quotes, and double those in it", p.line, table.Short(string(p.b[start:min(i+20, len(p.b))])))
		}
		i++
	}
	p.at = i
	if i > start && p.b[i-1] == '\r' && (i == len(p.b) || p.b[i] == '\n') {
		p.at, i = i-1, i-1
	}
	return p.b[start:i], false, nil
}

// quotes reads a value in quotes.
func (p *parser) quotes() ([]byte, error) {
	first, i := p.line, p.at+1
	p.scratch = p.scratch[:0]
	for {
		q := bytes.IndexByte(p.b[i:], '"')
		if q < 0 {
			return nil, fmt.Errorf("line %d opens a quote that isn't closed", first)
		}
		part := p.b[i : i+q]
		p.line += bytes.Count(part, newline)
		p.scratch = append(p.scratch, part...)
		i += q + 1
		if i < len(p.b) && p.b[i] == '"' {
			p.scratch = append(p.scratch, '"')
			i++
			continue
		}
		p.at = i
		if !p.ends(i) {
			return nil, fmt.Errorf("line %d has something behind the quotes of %s: expected the delimiter %q, or the end of the line", p.line, table.Short(string(p.scratch)), p.delimiter)
		}
		return p.scratch, nil
	}
}

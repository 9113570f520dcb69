// Package csv reads and writes tables as text: a line for each row, with a delimiter between
// values (RFC 4180).
//
// A file is read in pieces of a few megabytes, in parallel, straight into columns: pieces
// end at the end of a line, which is one outside of quotes. What kind a column is follows
// from all of its values; where a piece turns out to hold a wider kind than was thought, the
// pieces that were read before are converted, or read again as text.
package csv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sort"
	"unicode/utf8"

	"github.com/nami-flow/go-nami/nami/internal/table"
)

// Options say how a file is written down.
type Options struct {
	Delimiter byte     // between values
	Missing   []string // what stands for a missing value; nil for [Missing]
	Names     []string // of the columns of a file whose first line is a row; nil for names in the first line
	Text      []string // columns that are text whatever they look like
	Columns   []string // those that are wanted, in this order; nil for all
}

// Missing is what stands for a missing value if nothing else is said: beside nothing at all,
// the words of Python, R and SQL.
var Missing = []string{"", "NaN", "nan", "NAN", "-nan", "NA", "N/A", "n/a", "<NA>", "null", "NULL", "None"}

// kind is what a column is, as far as it has been read: each is wider than those before,
// except that booleans and numbers are text together.
type kind int

const (
	unknown kind = iota // all values are missing so far
	boolean_
	integer
	float
	text
)

// join is the narrowest kind that holds values of both.
func join(a, b kind) kind {
	if a > b {
		a, b = b, a
	}
	if a == boolean_ && b != boolean_ {
		return text
	}
	return b
}

// of is the kind of the table's column.
func (k kind) of() table.Kind {
	return [...]table.Kind{table.Float64, table.Boolean, table.Integer, table.Float64, table.Text}[k]
}

// File is a file of text that has been looked through.
type File struct {
	source         table.Source
	delimiter      byte
	missing        map[string]bool
	longestMissing int  // number of bytes of a word for a missing value
	numeric        bool // some word for a missing value is a number
	quoted         bool // quotes make a value text
	names          []string
	kinds          []kind
	text           []bool
	wanted         []bool // by column of the file
	chosen         []int  // the columns that are wanted, in order
	start          int64  // where the rows begin
	line           int    // of the first row
	pieces         []piece
	rows           int
	jumps          []jump
}

// piece is a part of the file that holds whole rows.
type piece struct {
	offset int64
	length int
	line   int // of its start
	first  int // the number of its first row
	rows   int
}

// jump says that row and those after it, up to the next jump, stand in successive lines.
type jump struct{ row, line int }

// newFile reads the first line.
func newFile(source table.Source, o Options) (*File, error) {
	f := &File{source: source, delimiter: o.Delimiter, missing: map[string]bool{}, line: 1}
	words := o.Missing
	if words == nil {
		words = Missing
	}
	for _, word := range words {
		f.missing[word] = true
		f.longestMissing = max(f.longestMissing, len(word))
		f.numeric = f.numeric || Number(word)
	}
	head, err := f.head()
	if err != nil {
		return nil, err
	}
	names, quoted, end, err := f.split(head)
	if err != nil {
		return nil, err
	}
	f.quoted = true
	if o.Names == nil {
		f.quoted = !quoted
		f.names, f.line = names, f.line+bytes.Count(head[:end], newline)
		f.start += int64(end)
		if len(names) == 1 && head[0] != '"' {
			for _, other := range []byte(",;\t|") {
				if other != f.delimiter && bytes.IndexByte([]byte(names[0]), other) >= 0 {
					return nil, fmt.Errorf("line 1 is the names of the columns, and with the delimiter %q there is one, %s: is the delimiter %q?", f.delimiter, table.Short(names[0]), other)
				}
			}
		}
	} else {
		if len(names) != len(o.Names) {
			return nil, fmt.Errorf("line 1 has %d values, and there are %d names for the columns: give one for each", len(names), len(o.Names))
		}
		f.names = o.Names
	}
	if f.chosen, err = table.Choose(f.names, o.Columns); err != nil {
		return nil, err
	}
	f.kinds, f.text, f.wanted = make([]kind, len(f.names)), make([]bool, len(f.names)), make([]bool, len(f.names))
	for _, j := range f.chosen {
		f.wanted[j] = true
	}
	forced, err := table.Choose(f.names, append([]string{}, o.Text...))
	if err != nil {
		return nil, err
	}
	for _, j := range forced {
		f.text[j], f.kinds[j] = true, text
	}
	return f, nil
}

var newline = []byte{'\n'}

// head reads enough to hold the first line, which it looks for behind a byte-order mark.
func (f *File) head() ([]byte, error) {
	if f.source.Size() == 0 {
		return nil, errors.New("the file is empty: expected a line with the names of the columns, and the rows below it")
	}
	for size := min(64<<10, f.source.Size()); ; size = min(4*size, f.source.Size()) {
		b := make([]byte, size)
		if _, err := f.source.ReadAt(b, 0); err != nil && err != io.EOF {
			return nil, err
		}
		switch {
		case bytes.HasPrefix(b, []byte{0xff, 0xfe}), bytes.HasPrefix(b, []byte{0xfe, 0xff}):
			return nil, errors.New("the file is in UTF-16: save it as UTF-8")
		case bytes.HasPrefix(b, []byte{0xef, 0xbb, 0xbf}):
			b, f.start = b[3:], 3
		}
		if end := rowsEnd(b); end > 0 || size == f.source.Size() {
			if bytes.IndexByte(b[:min(len(b), 4096)], 0) >= 0 {
				return nil, errors.New("the file has bytes that are 0: it isn't text")
			}
			return b, nil
		}
		if size > longest {
			return nil, fmt.Errorf("the first line doesn't end within %d MB: is this a file of text, and are its quotes closed?", longest>>20)
		}
	}
}

// split reads the values of the first line that isn't empty, and finds its end. quoted says
// that all are in quotes, and that one needn't be: what wrote the file puts everything there.
func (f *File) split(b []byte) (values []string, quoted bool, end int, err error) {
	p := parser{File: f, b: b, line: 1}
	p.blank()
	if p.at == len(b) {
		return nil, false, 0, errors.New("the file has empty lines alone: expected a line with the names of the columns, and the rows below it")
	}
	quoted, needed := true, true
	for {
		value, q, err := p.field()
		if err != nil {
			return nil, false, 0, err
		}
		if !utf8.Valid(value) {
			return nil, false, 0, fmt.Errorf("line %d isn't UTF-8 text, %s: convert the file, with iconv for instance", p.line, table.Short(string(value)))
		}
		values, quoted = append(values, string(value)), quoted && q
		needed = needed && (len(value) == 0 || needsQuotes(string(value), f.delimiter))
		if p.at >= len(b) || b[p.at] != f.delimiter {
			p.endLine()
			return values, quoted && !needed, p.at, nil
		}
		p.at++
	}
}

// Fields implements [table.File].
func (f *File) Fields() []table.Field {
	fields := make([]table.Field, len(f.chosen))
	for i, j := range f.chosen {
		fields[i] = table.Field{Name: f.names[j], Kind: f.kinds[j].of()}
	}
	return fields
}

// Len implements [table.File].
func (f *File) Len() int { return f.rows }

// Where implements [table.File].
func (f *File) Where(row int) string {
	i := sort.Search(len(f.jumps), func(i int) bool { return f.jumps[i].row > row }) - 1
	if i < 0 {
		return table.Row(row)
	}
	return fmt.Sprintf("line %d", f.jumps[i].line+row-f.jumps[i].row)
}

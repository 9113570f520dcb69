package csv

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"

	"github.com/nami-flow/go-nami/nami/internal/table"

	"golang.org/x/sync/errgroup"
)

const (
	target  = 1 << 20  // bytes that a piece has at least, but for the last
	longest = 64 << 20 // bytes that a row has at most
)

// rowsEnd is where the last whole row of b ends: behind a line's end outside of quotes. It
// is 0 if there is none. A quote in quotes is two, so that an odd number of quotes is within.
func rowsEnd(b []byte) int {
	quotes := bytes.Count(b, []byte{'"'})
	for end := len(b); ; {
		i := bytes.LastIndexByte(b[:end], '\n')
		if i < 0 {
			return 0
		}
		quotes -= bytes.Count(b[i:end], []byte{'"'})
		if quotes%2 == 0 {
			return i + 1
		}
		end = i
	}
}

// Read reads all rows of a file.
func Read(source table.Source, o Options) (*File, []table.Column, error) {
	return open(source, o, true)
}

// Open looks through a file, so that parts of it can be read later: where its rows are, and
// of which kind each column is.
func Open(source table.Source, o Options) (*File, error) {
	f, _, err := open(source, o, false)
	return f, err
}

func open(source table.Source, o Options, keep bool) (*File, []table.Column, error) {
	f, err := newFile(source, o)
	if err != nil {
		return nil, nil, err
	}
	parts, whole, err := f.scan(keep)
	if err != nil || !keep {
		return f, nil, err
	}
	columns := make([]table.Column, len(f.chosen))
	for i, j := range f.chosen {
		if columns[i], err = f.assemble(j, parts, whole); err != nil {
			return nil, nil, err
		}
	}
	f.source, f.pieces = nil, nil // what is left tells lines
	return f, columns, nil
}

// scan reads the file piece by piece, to know its pieces and the kinds of its columns; it
// returns what the pieces hold if that is to be kept, and the whole columns that they were read
// into as far as that went.
func (f *File) scan(keep bool) ([]*parser, []table.Column, error) {
	var (
		group errgroup.Group
		mutex sync.Mutex // of what follows
		parts []*parser
		errs  []error
	)
	workers := runtime.GOMAXPROCS(0)
	free := make(chan []byte, workers+1)
	for range workers + 1 {
		free <- nil
	}
	group.SetLimit(workers)
	failed := func() bool {
		mutex.Lock()
		defer mutex.Unlock()
		return slices.ContainsFunc(errs, func(err error) bool { return err != nil })
	}
	var whole []table.Column
	var rest []byte // of the row that the last piece cut
	offset, read, line := f.start, f.start, f.line
	for read < f.source.Size() && !failed() {
		b := append((<-free)[:0], rest...)
		end := 0
		for end == 0 && read < f.source.Size() {
			if len(b) > longest {
				return nil, nil, f.first(&group, errs, fmt.Errorf("the row in line %d doesn't end within %d MB: is a quote before it left open?", line, longest>>20))
			}
			have := len(b)
			b = slices.Grow(b, target)[:have+int(min(target, f.source.Size()-read))]
			n, err := f.source.ReadAt(b[have:], read)
			if err != nil && !(err == io.EOF && n == len(b)-have) {
				return nil, nil, f.first(&group, errs, fmt.Errorf("the file can't be read at byte %d: %w", read, err))
			}
			read += int64(len(b) - have)
			end = rowsEnd(b)
		}
		if read == f.source.Size() {
			end = len(b)
		}
		rest = append(rest[:0], b[end:]...)
		b = b[:end]
		mutex.Lock()
		i := len(f.pieces)
		f.pieces = append(f.pieces, piece{offset: offset, length: len(b), line: line})
		parts, errs = append(parts, nil), append(errs, nil)
		kinds := slices.Clone(f.kinds)
		mutex.Unlock()
		from, into := line, room{first: line - f.line, rows: bytes.Count(b, newline) + 1, whole: whole}
		offset, line = offset+int64(end), line+into.rows-1
		group.Go(func() error {
			if i == 0 {
				kinds = f.sniff(b, from, kinds)
			}
			p, err := f.parse(b, from, kinds, f.wanted, into)
			free <- b
			mutex.Lock()
			defer mutex.Unlock()
			if errs[i] = err; err != nil {
				return nil
			}
			f.pieces[i].rows = p.row
			for j := range f.kinds {
				if f.wanted[j] {
					f.kinds[j] = join(f.kinds[j], p.columns[j].kind)
				}
			}
			if p.b, p.scratch = nil, nil; !keep {
				for j, c := range p.columns {
					p.columns[j] = column{kind: c.kind}
				}
			}
			parts[i] = p
			return nil
		})
		if i == 0 { // what it finds is where the others start
			group.Wait()
			if keep {
				whole = f.whole(into.rows, len(b))
			}
		}
	}
	if err := f.first(&group, errs, nil); err != nil {
		return nil, nil, err
	}
	for i, p := range parts {
		f.pieces[i].first = f.rows
		for _, jump := range p.jumps {
			jump.row += f.rows
			if last := len(f.jumps) - 1; last < 0 || f.jumps[last].line+jump.row-f.jumps[last].row != jump.line {
				f.jumps = append(f.jumps, jump)
			}
		}
		p.jumps = nil
		f.rows += p.row
	}
	if keep {
		return parts, whole, nil
	}
	return nil, nil, f.check(parts)
}

// first waits for the pieces, and is the error of the first that has one, or the given one.
func (f *File) first(group *errgroup.Group, errs []error, last error) error {
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return last
}

// sniff guesses kinds from the first hundred rows, so that few pieces are read twice.
func (f *File) sniff(b []byte, line int, kinds []kind) []kind {
	end := 0
	for range 100 {
		i := bytes.IndexByte(b[end:], '\n')
		if i < 0 {
			break
		}
		end += i + 1
	}
	if p, err := f.parse(b[:end], line, kinds, f.wanted, room{rows: 100}); err == nil { // the end may cut a value in quotes
		kinds = slices.Clone(kinds)
		for j := range kinds {
			if kinds[j] = p.columns[j].kind; kinds[j] == unknown && f.text[j] {
				kinds[j] = text
			}
		}
	}
	return kinds
}

// check reports integers of pieces that can't become floats.
func (f *File) check(parts []*parser) error {
	for _, j := range f.chosen {
		if f.kinds[j] != float {
			continue
		}
		for i, p := range parts {
			if p.columns[j].kind == integer {
				if _, err := f.again(i, j); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// again reads one column of a piece once more, as of the kind that the whole column is of.
func (f *File) again(i, j int) (column, error) {
	p, err := f.piece(i, only(len(f.names), j))
	if err != nil {
		return column{}, err
	}
	return p.columns[j], nil
}

// only is true at one place.
func only(n, at int) []bool {
	b := make([]bool, n)
	b[at] = true
	return b
}

// piece reads columns of a piece.
func (f *File) piece(i int, wanted []bool) (*parser, error) {
	b := make([]byte, f.pieces[i].length)
	if n, err := f.source.ReadAt(b, f.pieces[i].offset); n < len(b) {
		return nil, fmt.Errorf("the file can't be read at byte %d: %w", f.pieces[i].offset, err)
	}
	p, err := f.parse(b, f.pieces[i].line, f.kinds, wanted, room{rows: f.pieces[i].rows})
	if err != nil {
		return nil, err
	}
	for j, c := range p.columns {
		if wanted[j] && c.kind != f.kinds[j] || p.row != f.pieces[i].rows {
			return nil, fmt.Errorf("the file has changed since it was opened: it has other values in the rows from line %d on", f.pieces[i].line)
		}
	}
	return p, nil
}

// assemble puts a column together from the pieces, which lose it.
func (f *File) assemble(j int, parts []*parser, whole []table.Column) (table.Column, error) {
	out, ok := f.cut(whole, j)
	if !ok {
		out = table.New(f.names[j], f.kinds[j].of(), f.rows)
	}
	for i, p := range parts {
		c := p.columns[j]
		p.columns[j] = column{}
		if c.kind != f.kinds[j] && c.kind != unknown {
			var err error
			if c, err = f.again(i, j); err != nil {
				return out, err
			}
		}
		f.put(&out, f.pieces[i].first, c, 0, p.row)
	}
	return out, nil
}

// put copies rows of a piece's column.
func (f *File) put(out *table.Column, at int, c column, first, last int) {
	switch c.kind {
	case unknown:
		for row := range last - first {
			out.SetMissing(at + row)
		}
		return
	case float:
		place(out.Values.([]float64)[at:], c.floats[first:last])
	case integer:
		place(out.Values.([]int64)[at:], c.integers[first:last])
	case boolean_:
		place(out.Values.([]bool)[at:], c.booleans[first:last])
	case text:
		place(out.Values.([]string)[at:], c.texts[first:last])
	}
	if c.missing != nil {
		for row, missing := range c.missing[first:last] {
			if missing {
				out.SetMissing(at + row)
			}
		}
	}
}

// Read implements [table.File].
func (f *File) Read(columns []int, first, last int) ([]table.Column, error) {
	out := make([]table.Column, len(columns))
	wanted := make([]bool, len(f.names))
	for i, k := range columns {
		j := f.chosen[k]
		out[i], wanted[j] = table.New(f.names[j], f.kinds[j].of(), last-first), true
	}
	for i, piece := range f.pieces {
		from, to := max(first, piece.first), min(last, piece.first+piece.rows)
		if from >= to {
			continue
		}
		p, err := f.piece(i, wanted)
		if err != nil {
			return nil, err
		}
		for k := range out {
			f.put(&out[k], from-first, p.columns[f.chosen[columns[k]]], from-piece.first, to-piece.first)
		}
	}
	return out, nil
}

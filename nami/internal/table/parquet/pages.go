package parquet

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sort"

	"github.com/nami-flow/go-nami/nami/internal/table"
)

// pages are the pages of a column in a row group that hold values.
type pages struct {
	pages  []page
	rows   []int  // the number of each page's first row in the group, and of all rows
	others []page // without rows: the dictionary's
}

// page is a page of a column.
type page struct {
	offset int64 // of its header in the file
	header int64 // its length
	size   int64 // of what follows the header
	sum    *uint32
}

// at is the page that a row is in.
func (p pages) at(row int) int { return sort.SearchInts(p.rows, row+1) - 1 }

// index is where the pages of a leaf in a row group are.
func (f *File) index(group, j int) (pages, error) {
	f.mutex.Lock()
	found, ok := f.pages[[2]int{group, j}]
	f.mutex.Unlock()
	if ok {
		return found, nil
	}
	found, err := f.scan(group, j)
	if err != nil {
		return pages{}, fmt.Errorf("column %q, row group %d: %w", f.leaves[j].name, group, err)
	}
	f.mutex.Lock()
	f.pages[[2]int{group, j}] = found
	f.mutex.Unlock()
	return found, nil
}

// scan reads the headers of the pages. It stops when it has as many rows as the group: the
// size of a column isn't right in files of some old writers.
func (f *File) scan(group, j int) (pages, error) {
	about := f.about.RowGroup(group)
	chunk, err := about.ColumnChunk(j)
	if err != nil {
		return pages{}, err
	}
	offset := chunk.DataPageOffset()
	if d := chunk.DictionaryPageOffset(); chunk.HasDictionaryPage() && d > 0 && d < offset {
		offset = d
	}
	p := pages{rows: []int{0}}
	for rows, all := 0, int(about.NumRows()); rows < all; {
		h, err := f.header(offset)
		if err != nil {
			return pages{}, err
		}
		end := offset + h.length + h.packed
		if h.packed < 0 || h.unpacked < 0 || end > f.source.Size() {
			return pages{}, fmt.Errorf("it is damaged: the page at byte %d is said to have %d bytes, and %d follow", offset, h.packed, f.source.Size()-offset-h.length)
		}
		if h.values < 0 || h.values > int64(all-rows) {
			return pages{}, fmt.Errorf("it is damaged: the page at byte %d is said to have %d rows, and %d are left in its group", offset, h.values, all-rows)
		}
		one := page{offset, h.length, h.packed, h.sum}
		if h.values > 0 {
			rows += int(h.values)
			p.pages, p.rows = append(p.pages, one), append(p.rows, rows)
		} else {
			p.others = append(p.others, one)
		}
		offset = end
	}
	return p, nil
}

// header reads the header of the page at a place.
func (f *File) header(offset int64) (header, error) {
	for size := int64(256); ; size *= 8 {
		if offset < 4 || offset >= f.source.Size() {
			return header{}, errors.New("it is damaged: a page is said to be where there is none")
		}
		b := make([]byte, min(size, f.source.Size()-offset))
		if n, err := f.source.ReadAt(b, offset); n < len(b) {
			return header{}, err
		}
		h, err := parseHeader(b)
		if err == nil {
			return h, nil
		}
		if size >= 1<<20 || int64(len(b)) < size {
			return header{}, fmt.Errorf("it is damaged: there should be a page at byte %d, and there isn't: %w", offset, err)
		}
	}
}

// check compares a page with its checksum, if it has one.
func (p page) check(source table.Source) error {
	if p.sum == nil {
		return nil
	}
	sum := crc32.NewIEEE()
	if _, err := io.Copy(sum, io.NewSectionReader(source, p.offset+p.header, p.size)); err != nil {
		return err
	}
	if sum.Sum32() != *p.sum {
		return fmt.Errorf("it is damaged: the page at byte %d has the checksum %08x, and should have %08x", p.offset, sum.Sum32(), *p.sum)
	}
	return nil
}

// reader is what the library reads a column from: the file without the pages before the one
// that is needed, so that it goes there straight from the column's dictionary.
type reader struct {
	table.Source
	at, gap int64 // from here on, so many bytes are left out
}

// ReadAt implements [io.ReaderAt].
func (r reader) ReadAt(p []byte, off int64) (int, error) {
	if off >= r.at {
		return r.Source.ReadAt(p, off+r.gap)
	}
	before := r.at - off
	if int64(len(p)) <= before {
		return r.Source.ReadAt(p, off)
	}
	n, err := r.Source.ReadAt(p[:before], off)
	if err != nil && err != io.EOF || int64(n) < before {
		return n, err
	}
	more, err := r.Source.ReadAt(p[before:], r.at+r.gap)
	return n + more, err
}

// Seek implements [io.Seeker]. The library asks where the end is, and nothing else.
func (r reader) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekEnd {
		offset += r.Size()
	}
	return offset, nil
}

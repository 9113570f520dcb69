package csv

import "github.com/nami-flow/go-nami/nami/internal/table"

// room is where a piece puts its values: at the rows that it has within whole columns, if all
// lines before it are rows and the columns are of the kind and length. What turns out otherwise
// gets slices of its own, and is copied in the end.
type room struct {
	first, rows int            // at most
	whole       []table.Column // by column of the file; nil for none
}

// mostRoom is how many bytes whole columns may take before it is known how many rows there are:
// a file whose first lines are shorter than all others asks for too much.
const mostRoom = 1 << 30

// whole makes columns for the rows of the whole file, if they are as long as those of its first
// piece, and some more; nil if that is too much.
func (f *File) whole(rows, bytes int) []table.Column {
	n := int(1.03*float64(rows)*float64(f.source.Size()-f.start)/float64(bytes)) + 16
	const most = 16 // bytes of a value
	if bytes == 0 || n > mostRoom/most/len(f.chosen) {
		return nil
	}
	columns := make([]table.Column, len(f.names))
	for _, j := range f.chosen {
		if f.kinds[j] != unknown {
			columns[j] = table.New(f.names[j], f.kinds[j].of(), n)
		}
	}
	return columns
}

// part is the room for a piece's values in column j.
func part[T any](into room, j int) []T {
	if into.whole != nil {
		if all, ok := into.whole[j].Values.([]T); ok && into.first+into.rows <= len(all) {
			return all[into.first : into.first : into.first+into.rows]
		}
	}
	return make([]T, 0, into.rows)
}

// cut is the whole column j with as many rows as there are; ok is false if there is none of its
// kind, or it is too short.
func (f *File) cut(whole []table.Column, j int) (c table.Column, ok bool) {
	if whole == nil || whole[j].Values == nil || whole[j].Kind() != f.kinds[j].of() {
		return c, false
	}
	c, whole[j] = whole[j], table.Column{}
	switch values := c.Values.(type) {
	case []float64:
		c.Values, ok = first(values, f.rows)
	case []int64:
		c.Values, ok = first(values, f.rows)
	case []bool:
		c.Values, ok = first(values, f.rows)
	case []string:
		c.Values, ok = first(values, f.rows)
	}
	return c, ok
}

func first[T any](values []T, n int) ([]T, bool) {
	if len(values) < n {
		return nil, false
	}
	return values[:n:n], true
}

// place copies values to where they are to be, if they aren't there already. Those before may
// have moved down from there, never up.
func place[T any](to, values []T) {
	if len(values) > 0 && &to[0] != &values[0] {
		copy(to, values)
	}
}

package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/nami-flow/go-nami/nami/internal/memory"
	"github.com/nami-flow/go-nami/nami/internal/table"
)

// array is an array in a file, as columns.
type array struct {
	header
	rows    int
	columns []field // with an offset in the row; for Fortran's order that of the column's start
	stride  int     // from a row's value to the next
	start   int64   // of the values
}

// newArray checks the header against the length of what holds the array.
func newArray(h header, length int64, name func(j int) string) (array, error) {
	row, err := h.row()
	if err != nil {
		return array{}, err
	}
	total, err := product(int64(h.shape[0]), row)
	if err != nil {
		return array{}, err
	}
	if left := length - h.size; total > left {
		return array{}, fmt.Errorf("its header says that %d bytes of values follow, an array of shape %v, and there are %d: it was cut off", total, h.shape, left)
	} else if total < left {
		return array{}, fmt.Errorf("its header says that %d bytes of values follow, an array of shape %v, and there are %d: expected one array in the file", total, h.shape, left)
	}
	if row == 0 && h.shape[0] > 0 {
		return array{}, fmt.Errorf("its shape is %v, and its values have no size: expected at least one column", h.shape)
	}
	a := array{header: h, rows: h.shape[0], columns: h.fields, stride: int(row), start: h.size}
	if h.plain {
		a.columns = nil
		d := h.fields[0].dtype
		for j := range h.width() {
			f := field{name: name(j), dtype: d, offset: j * d.size}
			if h.fortran && len(h.shape) == 2 {
				f.offset *= a.rows
			}
			a.columns = append(a.columns, f)
		}
		if h.fortran && len(h.shape) == 2 {
			a.stride = d.size
		}
	}
	return a, nil
}

// names are the columns'.
func (a array) names() []string {
	names := make([]string, len(a.columns))
	for j, f := range a.columns {
		names[j] = f.name
	}
	return names
}

// block is how many bytes are read at once.
const block = 1 << 20

// read reads rows of columns: numbers of them, at places in a reader.
func (a array) read(r io.ReaderAt, columns []int, first, last int) ([]table.Column, error) {
	out := make([]table.Column, len(columns))
	for i, j := range columns {
		f := a.columns[j]
		if err := memory.Check(fmt.Sprintf("%d rows of the column %q", last-first, f.name), max(f.dtype.size, 16), last-first); err != nil {
			return nil, err
		}
		out[i] = table.New(f.name, f.dtype.kind(), last-first)
	}
	if a.plain && a.fortran && len(a.shape) == 2 {
		for i, j := range columns {
			one := a
			one.columns, one.start = []field{{a.columns[j].name, a.columns[j].dtype, 0}}, a.start+int64(a.columns[j].offset)
			if err := one.sweep(r, []int{0}, out[i:i+1], first, last); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return out, a.sweep(r, columns, out, first, last)
}

// sweep reads rows that follow each other.
func (a array) sweep(r io.ReaderAt, columns []int, out []table.Column, first, last int) error {
	most := max(1, block/max(1, a.stride))
	b := make([]byte, min(most, last-first)*a.stride)
	for row := first; row < last; row += most {
		n := min(most, last-row)
		part := b[:n*a.stride]
		if got, err := r.ReadAt(part, a.start+int64(row)*int64(a.stride)); got < len(part) {
			return fmt.Errorf("it can't be read at %s: %w", table.Row(row), err)
		}
		for i, j := range columns {
			f := a.columns[j]
			if bad, err := decode(&out[i], row-first, part[f.offset:], a.stride, n, f.dtype); err != nil {
				return fmt.Errorf("%s, column %q: %w", table.Row(row+bad), f.name, err)
			}
		}
	}
	return nil
}

// decode reads n values that are a stride apart into a column, from a row on; bad is the one
// that can't be read.
func decode(c *table.Column, row int, b []byte, stride, n int, d dtype) (bad int, err error) {
	var order binary.ByteOrder = binary.LittleEndian
	if d.big {
		order = binary.BigEndian
	}
	switch out := c.Values.(type) {
	case []float64:
		for i := range n {
			out[row+i] = math.Float64frombits(order.Uint64(b[i*stride:]))
		}
	case []float32:
		for i := range n {
			if v := b[i*stride:]; d.size == 4 {
				out[row+i] = math.Float32frombits(order.Uint32(v))
			} else {
				out[row+i] = table.Half(order.Uint16(v))
			}
		}
	case []int64:
		for i := range n {
			v := b[i*stride:]
			var u uint64
			switch d.size {
			case 1:
				u = uint64(v[0])
			case 2:
				u = uint64(order.Uint16(v))
			case 4:
				u = uint64(order.Uint32(v))
			case 8:
				u = order.Uint64(v)
			}
			if d.code == 'u' {
				if u > math.MaxInt64 {
					return i, fmt.Errorf("%d is larger than an int64 holds", u)
				}
				out[row+i] = int64(u)
			} else {
				shift := 64 - 8*d.size
				out[row+i] = int64(u<<shift) >> shift
			}
		}
	case []bool:
		for i := range n {
			v := b[i*stride]
			if v > 1 {
				return i, fmt.Errorf("%d isn't a boolean: expected 0 or 1", v)
			}
			out[row+i] = v == 1
		}
	case []string:
		for i := range n {
			v := b[i*stride : i*stride+d.size]
			var s string
			if s, err = words(v, d.code, order); err != nil {
				return i, err
			}
			if row+i > 0 && out[row+i-1] == s { // most texts are of few kinds
				s = out[row+i-1]
			}
			out[row+i] = s
		}
	}
	return 0, nil
}

// words reads a text that is filled up with zeros.
func words(b []byte, code byte, order binary.ByteOrder) (string, error) {
	if code == 'S' {
		s := strings.TrimRight(string(b), "\x00")
		if !utf8.ValidString(s) {
			return "", fmt.Errorf("%q isn't UTF-8 text: decode it in Python, with numpy.char.decode", s)
		}
		return s, nil
	}
	var s strings.Builder
	zeros := 0
	for ; len(b) >= 4; b = b[4:] {
		r := order.Uint32(b)
		if r == 0 {
			zeros++
			continue
		}
		for ; zeros > 0; zeros-- {
			s.WriteByte(0)
		}
		if r > utf8.MaxRune || !utf8.ValidRune(rune(r)) {
			return "", fmt.Errorf("%#x isn't a character of Unicode", r)
		}
		s.WriteRune(rune(r))
	}
	return s.String(), nil
}

// File is a .npy file.
type File struct {
	array
	source table.Source
	chosen []int
}

// Open reads the header of a .npy file. The columns of a plain array are called by names, or
// x0, x1 and so on; chosen are those that are wanted, nil for all.
func Open(source table.Source, names, chosen []string) (*File, error) {
	if source.Size() == 0 {
		return nil, errors.New("the file is empty: expected a NumPy array")
	}
	h, err := readHeader(io.NewSectionReader(source, 0, source.Size()))
	if err != nil {
		return nil, err
	}
	if names != nil && (!h.plain || len(h.shape) == 2 && h.shape[1] != len(names) || len(h.shape) == 1 && len(names) != 1) {
		return nil, fmt.Errorf("there are %d names for the columns, and the array has the shape %v: names are for an array without any, one for each column", len(names), h.shape)
	}
	f := &File{source: source}
	f.array, err = newArray(h, source.Size(), func(j int) string {
		if names != nil {
			return names[j]
		}
		return fmt.Sprintf("x%d", j)
	})
	if err != nil {
		return nil, err
	}
	f.chosen, err = table.Choose(f.names(), chosen)
	return f, err
}

// Fields implements [table.File].
func (f *File) Fields() []table.Field {
	fields := make([]table.Field, len(f.chosen))
	for i, j := range f.chosen {
		fields[i] = table.Field{Name: f.columns[j].name, Kind: f.columns[j].dtype.kind()}
	}
	return fields
}

// Len implements [table.File].
func (f *File) Len() int { return f.rows }

// Where implements [table.File].
func (f *File) Where(row int) string { return table.Row(row) }

// Read implements [table.File].
func (f *File) Read(columns []int, first, last int) ([]table.Column, error) {
	in := make([]int, len(columns))
	for i, k := range columns {
		in[i] = f.chosen[k]
	}
	return f.read(f.source, in, first, last)
}

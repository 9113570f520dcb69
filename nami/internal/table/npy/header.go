// Package npy reads and writes tables as NumPy does arrays: .npy, one array, and .npz, a zip
// file of them (numpy.lib.format, versions 1 to 3).
//
// GoMLX has a reader of such files too. It believes the sizes in their headers before it has
// read anything, and takes neither structured arrays, which hold a table's names, nor
// big-endian ones, nor texts.
package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/nami-flow/go-nami/nami/internal/table"
)

const magic = "\x93NUMPY"

// header is what an array says of itself.
type header struct {
	fields  []field // of a structured array; one without a name otherwise
	plain   bool    // it isn't structured
	bytes   int     // of a row of a structured array, with what fills it up
	fortran bool
	shape   []int
	size    int64 // of the header in the file
}

// field is a column of a structured array, or the values of a plain one.
type field struct {
	name   string
	dtype  dtype
	offset int // in a row
}

// dtype is the type of a value.
type dtype struct {
	code byte // of NumPy: b, i, u, f, S, U
	size int  // in bytes
	big  bool // big-endian
	text string
}

// kind is that of the column; float16 becomes float32, and unsigned integers are refused
// later where int64 doesn't hold them.
func (d dtype) kind() table.Kind {
	switch {
	case d.code == 'b':
		return table.Boolean
	case d.code == 'i' || d.code == 'u':
		return table.Integer
	case d.code == 'f' && d.size == 8:
		return table.Float64
	case d.code == 'f':
		return table.Float32
	}
	return table.Text
}

// longest is how long a header may be: a table of thousands of columns has 100 kB.
const longest = 16 << 20

// readHeader reads what stands before the values.
func readHeader(r io.Reader) (header, error) {
	start := make([]byte, 12)
	if _, err := io.ReadFull(r, start[:10]); err != nil {
		return header{}, errors.New("it ends before the header does: it isn't a NumPy array, or was cut off")
	}
	if string(start[:6]) != magic {
		return header{}, fmt.Errorf("it doesn't start like a NumPy array, with %q, but with %q", magic, start[:6])
	}
	length, size := int(binary.LittleEndian.Uint16(start[8:])), int64(10)
	switch start[6] {
	case 1:
	case 2, 3:
		if _, err := io.ReadFull(r, start[10:]); err != nil {
			return header{}, errors.New("it ends within the header: it was cut off")
		}
		length, size = int(binary.LittleEndian.Uint32(start[8:])), 12
	default:
		return header{}, fmt.Errorf("it is of version %d of NumPy's format: expected 1, 2 or 3", start[6])
	}
	if length > longest {
		return header{}, fmt.Errorf("its header is said to have %d bytes: expected at most %d", length, longest)
	}
	text, err := io.ReadAll(io.LimitReader(r, int64(length)))
	if err != nil || len(text) < length {
		return header{}, fmt.Errorf("its header is said to have %d bytes, and %d follow: it was cut off", length, len(text))
	}
	h, err := parseHeader(string(text))
	h.size = size + int64(length)
	return h, err
}

func parseHeader(text string) (header, error) {
	wrong := func(what string) error {
		return fmt.Errorf("its header is %s: %s", table.Short(strings.TrimSpace(text)), what)
	}
	value, err := literal(text)
	if err != nil {
		return header{}, wrong(err.Error())
	}
	dict, ok := value.(map[string]any)
	if !ok {
		return header{}, wrong("expected a dictionary with descr, fortran_order and shape")
	}
	shape, ok1 := dict["shape"].([]any)
	fortran, ok2 := dict["fortran_order"].(bool)
	descr, ok3 := dict["descr"]
	if !ok1 || !ok2 || !ok3 {
		return header{}, wrong("expected descr, fortran_order and a shape in parentheses")
	}
	h := header{fortran: fortran}
	for _, n := range shape {
		size, ok := n.(int)
		if !ok || size < 0 {
			return header{}, wrong("expected sizes of 0 or more in the shape")
		}
		h.shape = append(h.shape, size)
	}
	if code, plain := descr.(string); plain {
		d, err := parseType(code)
		h.plain, h.fields = true, []field{{dtype: d}}
		return h, err
	}
	list, _ := descr.([]any)
	offset := 0
	for _, item := range list {
		parts, _ := item.([]any)
		if len(parts) < 2 {
			return header{}, wrong("expected a name and a type for each field")
		}
		name, isText := parts[0].(string)
		if !isText {
			if both, _ := parts[0].([]any); len(both) == 2 { // a title and a name
				name, isText = both[1].(string)
			}
		}
		code, simple := parts[1].(string)
		if !isText || !simple || len(parts) > 2 {
			return header{}, fmt.Errorf("the field %q of its structured array holds an array or a structure: expected one number, boolean or text in each field", name)
		}
		if strings.HasPrefix(code, "|V") && name == "" { // padding
			n, err := strconv.Atoi(code[2:])
			if err != nil || n < 0 || n > longest {
				return header{}, wrong("expected a size behind |V")
			}
			offset += n
			continue
		}
		d, err := parseType(code)
		if err != nil {
			return header{}, fmt.Errorf("the field %q: %w", name, err)
		}
		h.fields = append(h.fields, field{name, d, offset})
		if offset += d.size; offset > longest {
			return header{}, wrong("a row is too large")
		}
	}
	h.bytes = offset
	if len(h.fields) == 0 {
		return header{}, wrong("expected a type, or a list of names and types")
	}
	return h, nil
}

// parseType reads a type as <f8.
func parseType(code string) (dtype, error) {
	d := dtype{text: code}
	rest := code
	if rest != "" && strings.ContainsRune("<>=|", rune(rest[0])) {
		d.big, rest = rest[0] == '>', rest[1:]
	}
	if rest == "?" {
		rest = "b1"
	}
	bad := func(what string) (dtype, error) {
		return d, fmt.Errorf("its values are of NumPy's type %q, %s: expected floats, integers, booleans or texts (f2, f4, f8, i1 to i8, u1 to u8, b1, S, U)", code, what)
	}
	if rest == "" {
		return bad("which isn't known")
	}
	d.code = rest[0]
	size, err := strconv.Atoi(rest[1:])
	switch {
	case d.code == 'O':
		return bad("Python objects, which only Python can read")
	case d.code == 'M' || d.code == 'm':
		return bad("times; .astype('int64') makes numbers of them")
	case d.code == 'c':
		return bad("complex numbers; save real and imaginary parts as two columns")
	case err != nil || size < 0 || size > longest/4:
		return bad("which isn't known")
	}
	fits := map[byte][]int{'b': {1}, 'i': {1, 2, 4, 8}, 'u': {1, 2, 4, 8}, 'f': {2, 4, 8}}
	switch d.code {
	case 'S':
	case 'U':
		size *= 4
	default:
		known := false
		for _, n := range fits[d.code] {
			known = known || n == size
		}
		if !known {
			return bad("which isn't known")
		}
	}
	d.size = size
	return d, nil
}

// row is the size of a row in bytes.
func (h header) row() (int64, error) {
	if len(h.shape) == 0 || len(h.shape) > 2 || !h.plain && len(h.shape) != 1 {
		return 0, fmt.Errorf("its shape is %v: expected [rows] or [rows, columns], for a structured array [rows]", h.shape)
	}
	if h.plain {
		return product(int64(h.width()), int64(h.fields[0].dtype.size))
	}
	return int64(h.bytes), nil
}

// width is the number of columns of a plain array.
func (h header) width() int {
	if len(h.shape) == 2 {
		return h.shape[1]
	}
	return 1
}

func product(a, b int64) (int64, error) {
	if a > 0 && b > math.MaxInt64/a {
		return 0, fmt.Errorf("its header asks for %d times %d bytes, which no file has", a, b)
	}
	return a * b, nil
}

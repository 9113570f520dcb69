package npy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/nami/internal/table"
)

// Array is an array of numbers with any number of axes.
type Array struct {
	Values []float64 // in row-major order
	Shape  []int

	// Integers says that the file holds integers or booleans.
	Integers bool
}

// ReadArray reads a .npy file as an array of numbers. The sizes in the header aren't believed
// before they are compared with the length of what follows.
func ReadArray(source table.Source) (Array, error) {
	if source.Size() == 0 {
		return Array{}, errors.New("there is nothing in it: expected a NumPy array, as numpy.save writes one")
	}
	h, err := readHeader(bufio.NewReader(io.NewSectionReader(source, 0, source.Size())))
	if err != nil {
		return Array{}, err
	}
	if !h.plain {
		return Array{}, errors.New("it is a structured array: expected one of numbers, without names")
	}
	d := h.fields[0].dtype
	if d.kind() == table.Text {
		return Array{}, fmt.Errorf("its values are texts, of NumPy's type %q: expected numbers", d.text)
	}
	count := int64(1)
	for _, size := range h.shape {
		if count, err = product(count, int64(size)); err != nil {
			return Array{}, err
		}
	}
	flat := h
	flat.shape, flat.fortran = []int{int(count)}, false
	a, err := newArray(flat, source.Size(), func(int) string { return "values" })
	if err != nil {
		return Array{}, fmt.Errorf("%w (the array's own shape is %v)", err, h.shape)
	}
	columns, err := a.read(source, []int{0}, 0, a.rows)
	if err != nil {
		return Array{}, err
	}
	out := Array{Shape: h.shape, Values: make([]float64, count)}
	switch values := columns[0].Values.(type) {
	case []float64:
		out.Values = values
	case []float32:
		for i, v := range values {
			out.Values[i] = float64(v)
		}
	case []int64:
		out.Integers = true
		for i, v := range values {
			if out.Values[i] = float64(v); int64(out.Values[i]) != v {
				return Array{}, fmt.Errorf("value %d is %d, which float64 can't hold exactly", i, v)
			}
		}
	case []bool:
		out.Integers = true
		for i, v := range values {
			if v {
				out.Values[i] = 1
			}
		}
	}
	if h.fortran && len(h.shape) > 1 {
		out.Values = rowMajor(out.Values, h.shape)
	}
	return out, nil
}

// rowMajor puts values in Fortran's order, the first axis fastest, into C's.
func rowMajor(values []float64, shape []int) []float64 {
	out := make([]float64, len(values))
	at := make([]int, len(shape))
	for i := range out {
		from, stride := 0, 1
		for axis, size := range shape {
			from += at[axis] * stride
			stride *= size
		}
		out[i] = values[from]
		for axis := len(shape) - 1; axis >= 0; axis-- {
			if at[axis]++; at[axis] < shape[axis] {
				break
			}
			at[axis] = 0
		}
	}
	return out
}

// ReadArrays reads the arrays of a .npz file by name. It refuses a file that unpacks to more
// than most bytes.
func ReadArrays(source table.Source, most int64) (map[string]Array, error) {
	entries, err := openZip(source)
	if err != nil {
		return nil, err
	}
	out := map[string]Array{}
	for _, entry := range entries {
		name := strings.TrimSuffix(entry.Name, ".npy")
		if entry.UncompressedSize64 > uint64(most) {
			return nil, fmt.Errorf("the array %q unpacks to %d bytes, and with those before it at most %d are left: send less at a time", name, entry.UncompressedSize64, most)
		}
		most -= int64(entry.UncompressedSize64)
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("the array %q is in it twice", name)
		}
		unpacked, err := unpack(entry)
		var a Array
		if err == nil {
			a, err = ReadArray(bytes.NewReader(unpacked))
		}
		if err != nil {
			return nil, fmt.Errorf("the array %q: %w", name, err)
		}
		out[name] = a
	}
	return out, nil
}

// WriteArray writes values, []float32 or []float64 in row-major order, as a .npy file.
func WriteArray(w io.Writer, values any, shape []int) error {
	const block = 1 << 13
	put := func(descr string, n, size int, put func(b []byte, i int)) error {
		if err := start(w, descr, shape); err != nil {
			return err
		}
		b := make([]byte, 0, min(n, block)*size)
		for first := 0; first < n; first += block {
			b = slices.Grow(b[:0], block*size)[:min(block, n-first)*size]
			for i := range len(b) / size {
				put(b[i*size:], first+i)
			}
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
		return nil
	}
	switch v := values.(type) {
	case []float32:
		return put("'<f4'", len(v), 4, func(b []byte, i int) { binary.LittleEndian.PutUint32(b, math.Float32bits(v[i])) })
	case []float64:
		return put("'<f8'", len(v), 8, func(b []byte, i int) { binary.LittleEndian.PutUint64(b, math.Float64bits(v[i])) })
	}
	return fmt.Errorf("an array of %T can't be written: expected float32 or float64", values)
}

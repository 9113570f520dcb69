package npy

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/nami-flow/go-nami/nami/internal/table"
)

// typeOf is NumPy's type for a column, and the size of a value. NumPy has no missing
// integers, booleans and texts, and takes zeros at the end of a text for filling.
func typeOf(c table.Column) (code string, size int, err error) {
	for row := range c.Len() {
		if c.Missing != nil && c.Missing[row] {
			return "", 0, fmt.Errorf("%s, column %q is missing, and NumPy has no missing values of the kind %s: drop the row with Complete, or write CSV or Parquet", table.Row(row), c.Name, c.Kind())
		}
	}
	switch v := c.Values.(type) {
	case []float64:
		return "<f8", 8, nil
	case []float32:
		return "<f4", 4, nil
	case []int64:
		return "<i8", 8, nil
	case []bool:
		return "|b1", 1, nil
	case []string:
		longest := 1
		for row, s := range v {
			if strings.HasSuffix(s, "\x00") {
				return "", 0, fmt.Errorf("%s, column %q: the text %q ends with a zero, which NumPy would take for filling: write CSV or Parquet", table.Row(row), c.Name, s)
			}
			longest = max(longest, utf8.RuneCountInString(s))
		}
		return "<U" + strconv.Itoa(longest), 4 * longest, nil
	}
	return "", 0, fmt.Errorf("a column of %T", c.Values)
}

// appendValue appends a value, in its type's size.
func appendValue(b []byte, c table.Column, row, size int) []byte {
	switch v := c.Values.(type) {
	case []float64:
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(v[row]))
	case []float32:
		return binary.LittleEndian.AppendUint32(b, math.Float32bits(v[row]))
	case []int64:
		return binary.LittleEndian.AppendUint64(b, uint64(v[row]))
	case []bool:
		if v[row] {
			return append(b, 1)
		}
		return append(b, 0)
	case []string:
		end := len(b) + size
		for _, r := range v[row] {
			b = binary.LittleEndian.AppendUint32(b, uint32(r))
		}
		for len(b) < end {
			b = append(b, 0)
		}
	}
	return b
}

// start writes magic and header.
func start(w io.Writer, descr string, shape []int) error {
	var tuple strings.Builder
	for _, size := range shape {
		fmt.Fprintf(&tuple, "%d, ", size)
	}
	sizes := strings.TrimSuffix(tuple.String(), " ") // NumPy writes (3,) and (3, 4)
	if len(shape) != 1 {
		sizes = strings.TrimSuffix(sizes, ",")
	}
	text := fmt.Sprintf("{'descr': %s, 'fortran_order': False, 'shape': (%s), }", descr, sizes)
	version := byte(1)
	for _, r := range text {
		if r >= utf8.RuneSelf { // version 3 is in UTF-8
			version = 3
		}
	}
	length := 10
	if len(text) > math.MaxUint16-64 && version == 1 {
		version = 2
	}
	if version > 1 {
		length = 12
	}
	text += strings.Repeat(" ", 63-(length+len(text))%64) + "\n"
	out := append([]byte(magic), version, 0)
	if version == 1 {
		out = binary.LittleEndian.AppendUint16(out, uint16(len(text)))
	} else {
		out = binary.LittleEndian.AppendUint32(out, uint32(len(text)))
	}
	_, err := w.Write(append(out, text...))
	return err
}

// write writes one array of rows: structured unless it is of one column without a name.
func write(w io.Writer, columns []table.Column, descr string, sizes []int) error {
	rows := columns[0].Len()
	out := bufio.NewWriterSize(w, 1<<16)
	if err := start(out, descr, []int{rows}); err != nil {
		return err
	}
	var b []byte
	for row := range rows {
		b = b[:0]
		for j, c := range columns {
			b = appendValue(b, c, row, sizes[j])
		}
		if _, err := out.Write(b); err != nil {
			return err
		}
	}
	return out.Flush()
}

// Write writes a table as a structured array: one field for each column.
func Write(w io.Writer, columns []table.Column) error {
	if len(columns) == 0 {
		return fmt.Errorf("the table has no columns, and a NumPy array needs one")
	}
	var list strings.Builder
	sizes := make([]int, len(columns))
	for j, c := range columns {
		code, size, err := typeOf(c)
		if err != nil {
			return err
		}
		if c.Name == "" {
			return fmt.Errorf("column %d has no name, which NumPy's structured arrays need", j+1)
		}
		fmt.Fprintf(&list, "(%s, '%s'), ", python(c.Name), code)
		sizes[j] = size
	}
	return write(w, columns, "["+strings.TrimSuffix(list.String(), ", ")+"]", sizes)
}

// python is a string as Python writes it.
func python(s string) string {
	quoted := strconv.Quote(s) // its escapes are Python's too
	return "'" + strings.ReplaceAll(strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`), "'", `\'`) + "'"
}

// WriteZip writes a table as a .npz file: one array for each column.
func WriteZip(w io.Writer, columns []table.Column) error {
	out := zip.NewWriter(w)
	for _, c := range columns {
		code, size, err := typeOf(c)
		if err != nil {
			return err
		}
		entry, err := out.CreateHeader(&zip.FileHeader{Name: c.Name + ".npy", Method: zip.Store})
		if err != nil {
			return err
		}
		if err := write(entry, []table.Column{c}, "'"+code+"'", []int{size}); err != nil {
			return err
		}
	}
	return out.Close()
}

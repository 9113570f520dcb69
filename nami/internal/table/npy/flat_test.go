package npy

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/tests/property"

	"pgregory.net/rapid"
)

// file is an array as numpy.save writes it: the header of its documentation, then the values.
func file(descr string, fortran bool, shape string, values any) []byte {
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }", descr, map[bool]string{true: "True", false: "False"}[fortran], shape)
	text += strings.Repeat(" ", 63-(10+len(text))%64) + "\n"
	var b bytes.Buffer
	b.WriteString("\x93NUMPY\x01\x00")
	_ = binary.Write(&b, binary.LittleEndian, uint16(len(text)))
	b.WriteString(text)
	var order binary.ByteOrder = binary.LittleEndian
	if descr[0] == '>' {
		order = binary.BigEndian
	}
	_ = binary.Write(&b, order, values)
	return b.Bytes()
}

func TestReadArray(t *testing.T) {
	for name, test := range map[string]struct {
		file  []byte
		want  []float64
		shape []int
	}{
		"float32":      {file("<f4", false, "(3,)", []float32{1, 2.5, -3}), []float64{1, 2.5, -3}, []int{3}},
		"float64":      {file("<f8", false, "(1, 3)", []float64{1, 2.5, -3}), []float64{1, 2.5, -3}, []int{1, 3}},
		"big-endian":   {file(">f8", false, "(3, 1)", []float64{1, 2.5, -3}), []float64{1, 2.5, -3}, []int{3, 1}},
		"integers":     {file("<i8", false, "(2,)", []int64{1, -7}), []float64{1, -7}, []int{2}},
		"booleans":     {file("|b1", false, "(2,)", []bool{true, false}), []float64{1, 0}, []int{2}},
		"a scalar":     {file("<f4", false, "()", float32(4)), []float64{4}, nil},
		"nothing":      {file("<f4", false, "(2, 0)", []float32{}), []float64{}, []int{2, 0}},
		"Fortran":      {file("<f4", true, "(2, 3)", []float32{1, 4, 2, 5, 3, 6}), []float64{1, 2, 3, 4, 5, 6}, []int{2, 3}},
		"Fortran in 3": {file("<f4", true, "(2, 2, 2)", []float32{1, 5, 3, 7, 2, 6, 4, 8}), []float64{1, 2, 3, 4, 5, 6, 7, 8}, []int{2, 2, 2}},
	} {
		a, err := ReadArray(bytes.NewReader(test.file))
		if err != nil || !slices.Equal(a.Values, test.want) || !slices.Equal(a.Shape, test.shape) {
			t.Errorf("%s: got %v of shape %v (%v), expected %v of shape %v", name, a.Values, a.Shape, err, test.want, test.shape)
		}
	}
}

func TestBadArrays(t *testing.T) {
	good := file("<f4", false, "(3,)", []float32{1, 2, 3})
	for want, b := range map[string][]byte{
		"there is nothing in it":                nil,
		"it ends before the header does":        good[:8],
		"it doesn't start like a NumPy array":   []byte("PK\x03\x04 some other file"),
		"12 bytes of values follow":             good[:len(good)-1],
		"expected one array in the file":        append(slices.Clone(good), 0),
		"which no file has":                     file("<f4", false, "(9223372036854775807, 4)", []float32{1}),
		"it was cut off (the array's own":       file("<f4", false, "(1000000000000,)", []float32{1}),
		"its values are texts":                  file("<U2", false, "(1,)", []int64{0}),
		"complex numbers":                       file("<c8", false, "(1,)", []int64{0}),
		"9007199254740993, which float64 can't": file("<i8", false, "(1,)", []int64{1<<53 + 1}),
	} {
		_, err := ReadArray(bytes.NewReader(b))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, expected one that says %q", err, want)
		}
	}
}

// What is written is read again, to the bit.
func TestArrayRoundTrip(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		shape := rapid.SliceOfN(rapid.IntRange(0, 5), 0, 4).Draw(t, "shape")
		size := 1
		for _, n := range shape {
			size *= n
		}
		values := rapid.SliceOfN(rapid.Float64(), size, size).Draw(t, "values")
		var b bytes.Buffer
		if err := WriteArray(&b, values, shape); err != nil {
			t.Fatal(err)
		}
		a, err := ReadArray(bytes.NewReader(b.Bytes()))
		if err != nil || !slices.Equal(a.Shape, shape) || len(a.Values) != size {
			t.Fatalf("%v of shape %v (%v), expected the shape %v", a.Values, a.Shape, err, shape)
		}
		for i, v := range a.Values {
			if math.Float64bits(v) != math.Float64bits(values[i]) {
				t.Errorf("value %d is %v, expected %v", i, v, values[i])
			}
		}
	})
}

// A zip file holds arrays of different shapes; one that unpacks to more than is allowed is
// refused.
func TestReadArrays(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range map[string][]byte{
		"a.npy": file("<f4", false, "(2, 2)", []float32{1, 2, 3, 4}), "b.npy": file("<f8", false, "(1000,)", make([]float64, 1000)),
		"notes.txt": []byte("no array"),
	} {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	arrays, err := ReadArrays(bytes.NewReader(b.Bytes()), 10_000)
	if err != nil || len(arrays) != 2 || !slices.Equal(arrays["a"].Values, []float64{1, 2, 3, 4}) || len(arrays["b"].Values) != 1000 {
		t.Errorf("got %v (%v), expected a and b", arrays, err)
	}
	if _, err = ReadArrays(bytes.NewReader(b.Bytes()), 8000); err == nil || !strings.Contains(err.Error(), "unpacks to 8128 bytes") {
		t.Errorf("the error is %v, expected one that says that b unpacks to too much", err)
	}
}

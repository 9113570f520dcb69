// Package safetensors writes and reads files in the safetensors format, which other tools read
// too: eight bytes with the size of a JSON header, the header, and the tensors' bytes
// (https://huggingface.co/docs/safetensors). One file can be replaced atomically, which GoMLX's
// pairs of files can't.
//
// A file that is read may come from a stranger: nothing is taken for true that its own length
// doesn't bear out.
package safetensors

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

const (
	metadataKey = "__metadata__"
	checksumKey = "sha256"
	longest     = 100 << 20 // of a header, as in the format's own library
)

// typeNames are the dtypes that the format knows, and that a store may hold.
var typeNames = map[dtypes.DType]string{
	dtypes.Float32: "F32", dtypes.Float64: "F64", dtypes.Float16: "F16", dtypes.BFloat16: "BF16",
	dtypes.Int8: "I8", dtypes.Int16: "I16", dtypes.Int32: "I32", dtypes.Int64: "I64",
	dtypes.Uint8: "U8", dtypes.Uint16: "U16", dtypes.Uint32: "U32", dtypes.Uint64: "U64", dtypes.Bool: "BOOL",
}

// Tensor is a tensor with the name that the file gives it.
type Tensor struct {
	Name  string
	Value *tensors.Tensor
}

// File is what a file holds.
type File struct {
	Tensors  []Tensor
	Metadata map[string]string

	// Intact is true if the file has a checksum, which is right.
	Intact bool
}

type header struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// Encode writes tensors and metadata as one file, with a checksum of both.
func Encode(values []Tensor, metadata map[string]string) ([]byte, error) {
	sum, err := checksum(values, metadata)
	if err != nil {
		return nil, err
	}
	with := map[string]string{checksumKey: sum}
	maps.Copy(with, metadata)
	headers := map[string]any{metadataKey: with}
	var data bytes.Buffer
	for _, v := range values {
		name, known := typeNames[v.Value.DType()]
		if !known {
			return nil, fmt.Errorf("the variable %s is %s, which a safetensors file can't hold", v.Name, v.Value.Shape())
		}
		begin := int64(data.Len())
		if err := v.Value.ConstBytes(func(raw []byte) { data.Write(raw) }); err != nil {
			return nil, err
		}
		headers[v.Name] = header{name, append([]int{}, v.Value.Shape().Dimensions...), [2]int64{begin, int64(data.Len())}}
	}
	text, err := json.Marshal(headers)
	if err != nil {
		return nil, err
	}
	for len(text)%8 != 0 { // aligned, as the format asks
		text = append(text, ' ')
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	return append(append(out, text...), data.Bytes()...), nil
}

var (
	// ErrFormat is what a file is that isn't in the format.
	ErrFormat = errors.New("it is not a safetensors file, or was cut off")

	// ErrDamaged is what a file is that was once in the format.
	ErrDamaged = errors.New("the file was cut off or damaged")
)

// Decode reads a file, checks that its tensors fill it without gaps and overlaps, and compares
// its checksum if it has one. A wrong checksum isn't an error here: a later version may have
// another one.
func Decode(file []byte) (*File, error) {
	if len(file) < 8 {
		return nil, ErrFormat
	}
	size := binary.LittleEndian.Uint64(file)
	switch {
	case size > longest || len(file) > 8 && file[8] != '{':
		return nil, ErrFormat
	case size > uint64(len(file)-8):
		return nil, fmt.Errorf("%w: its header says that it has %d bytes, and %d follow", ErrDamaged, size, len(file)-8)
	}
	headers := map[string]json.RawMessage{}
	if err := json.Unmarshal(file[8:8+size], &headers); err != nil {
		return nil, fmt.Errorf("%w: its header can't be read: %w", ErrDamaged, err)
	}
	out := &File{Metadata: map[string]string{}}
	if raw, ok := headers[metadataKey]; ok {
		delete(headers, metadataKey)
		if err := json.Unmarshal(raw, &out.Metadata); err != nil {
			return nil, fmt.Errorf("%w: its metadata can't be read: %w", ErrDamaged, err)
		}
	}
	if err := out.decodeTensors(headers, file[8+size:]); err != nil {
		return nil, err
	}
	want, ok := out.Metadata[checksumKey]
	if !ok {
		return out, nil
	}
	delete(out.Metadata, checksumKey)
	sum, err := checksum(out.Tensors, out.Metadata)
	if err != nil {
		return nil, err
	}
	out.Intact = sum == want
	return out, nil
}

// placed is a tensor before its values are read.
type placed struct {
	name       string
	dtype      dtypes.DType
	shape      []int
	begin, end int64
}

func (f *File) decodeTensors(headers map[string]json.RawMessage, data []byte) error {
	var all []placed
	for name, raw := range headers {
		p, err := place(name, raw, int64(len(data)))
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b placed) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end), cmp.Compare(a.name, b.name))
	})
	at := int64(0)
	for _, p := range all {
		if p.begin != at {
			return fmt.Errorf("%w: the tensor %s begins at byte %d of the data, and the one before it ends at %d", ErrDamaged, p.name, p.begin, at)
		}
		at = p.end
	}
	if at != int64(len(data)) {
		return fmt.Errorf("%w: its tensors have %d bytes, and there are %d", ErrDamaged, at, len(data))
	}
	for _, p := range all {
		value := tensors.FromShape(shapes.Make(p.dtype, p.shape...))
		copied := 0
		err := value.MutableBytes(func(to []byte) { copied = copy(to, data[p.begin:p.end]) })
		if err == nil && int64(copied) != p.end-p.begin {
			err = io.ErrShortWrite
		}
		if err != nil {
			return fmt.Errorf("the tensor %s: %w", p.name, err)
		}
		f.Tensors = append(f.Tensors, Tensor{p.name, value})
	}
	return nil
}

// place reads where a tensor is, in so many bytes of data.
func place(name string, raw json.RawMessage, length int64) (placed, error) {
	wrong := func(format string, args ...any) (placed, error) {
		return placed{}, fmt.Errorf("%w: the tensor %s %s", ErrDamaged, name, fmt.Sprintf(format, args...))
	}
	var h header
	if err := json.Unmarshal(raw, &h); err != nil {
		return wrong("can't be read: %v", err)
	}
	p := placed{name: name, shape: h.Shape, begin: h.Offsets[0], end: h.Offsets[1]}
	for dtype, known := range typeNames {
		if known == h.DType {
			p.dtype = dtype
		}
	}
	if p.dtype == dtypes.InvalidDType {
		return placed{}, fmt.Errorf("the tensor %s has the dtype %q, which isn't known", name, h.DType)
	}
	if p.begin < 0 || p.end < p.begin || p.end > length {
		return wrong("has the offsets %v in %d bytes", h.Offsets, length)
	}
	size := int64(p.dtype.Size())
	for _, n := range h.Shape {
		if n < 0 || int64(n) > max(length, 1) || n > 0 && size > max(length, 8)/int64(n) {
			return wrong("has the shape %v, and the offsets %v", h.Shape, h.Offsets)
		}
		size *= int64(n)
	}
	if size != p.end-p.begin {
		return wrong("has the shape %v of %s, which are %d bytes, and the offsets %v", h.Shape, h.DType, size, h.Offsets)
	}
	return p, nil
}

// checksum is that of the tensors and the metadata, whatever the order.
func checksum(values []Tensor, metadata map[string]string) (string, error) {
	sum := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		writeText(sum, key)
		writeText(sum, metadata[key])
	}
	sorted := slices.SortedFunc(slices.Values(values), func(a, b Tensor) int { return cmp.Compare(a.Name, b.Name) })
	for _, v := range sorted {
		writeText(sum, v.Name)
		writeText(sum, v.Value.Shape().String())
		if err := v.Value.ConstBytes(func(raw []byte) { sum.Write(raw) }); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// writeText writes a text after its length, so that no two lists of texts look alike.
func writeText(sum hash.Hash, text string) {
	sum.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(text))))
	io.WriteString(sum, text)
}

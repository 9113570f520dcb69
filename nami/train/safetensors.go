package train

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// A checkpoint is one file in the safetensors format: eight bytes with the size of a
// JSON header, the header, and the tensors' bytes. Python's safetensors reads it too.
// One file can be replaced atomically, which GoMLX's pairs of files can't.

const metadataKey = "__metadata__"

// safetensorsType names the dtypes that the format knows, and that a store may hold.
var safetensorsType = map[dtypes.DType]string{
	dtypes.Float32: "F32", dtypes.Float64: "F64", dtypes.Float16: "F16", dtypes.BFloat16: "BF16",
	dtypes.Int8: "I8", dtypes.Int16: "I16", dtypes.Int32: "I32", dtypes.Int64: "I64",
	dtypes.Uint8: "U8", dtypes.Uint16: "U16", dtypes.Uint32: "U32", dtypes.Uint64: "U64", dtypes.Bool: "BOOL",
}

type tensorHeader struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

// namedTensor is a variable's path and value.
type namedTensor struct {
	name  string
	value *tensors.Tensor
}

// encode writes tensors and metadata as one safetensors file.
func encode(values []namedTensor, metadata map[string]string) ([]byte, error) {
	header := map[string]any{metadataKey: metadata}
	var data bytes.Buffer
	for _, v := range values {
		dtype, known := safetensorsType[v.value.DType()]
		if !known {
			return nil, fmt.Errorf("the variable %s is %s, which a checkpoint can't hold", v.name, v.value.Shape())
		}
		begin := data.Len()
		err := v.value.ConstBytes(func(raw []byte) { data.Write(raw) })
		if err != nil {
			return nil, err
		}
		dims := append([]int{}, v.value.Shape().Dimensions...)
		header[v.name] = tensorHeader{dtype, dims, [2]int{begin, data.Len()}}
	}
	text, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	for len(text)%8 != 0 { // aligned, as the format asks
		text = append(text, ' ')
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	return append(append(out, text...), data.Bytes()...), nil
}

var errNotSafetensors = errors.New("it is not a checkpoint of nami's, or was cut off")

// decode reads what encode wrote.
func decode(file []byte) ([]namedTensor, map[string]string, error) {
	if len(file) < 8 {
		return nil, nil, errNotSafetensors
	}
	size := binary.LittleEndian.Uint64(file)
	if size > uint64(len(file)-8) {
		return nil, nil, errNotSafetensors
	}
	header := map[string]json.RawMessage{}
	if err := json.Unmarshal(file[8:8+size], &header); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errNotSafetensors, err)
	}
	metadata := map[string]string{}
	if raw, ok := header[metadataKey]; ok {
		if err := json.Unmarshal(raw, &metadata); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", errNotSafetensors, err)
		}
	}
	data := file[8+size:]
	var values []namedTensor
	for name, raw := range header {
		if name == metadataKey {
			continue
		}
		value, err := decodeTensor(raw, data)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		values = append(values, namedTensor{name, value})
	}
	return values, metadata, nil
}

func decodeTensor(raw json.RawMessage, data []byte) (*tensors.Tensor, error) {
	var h tensorHeader
	if err := json.Unmarshal(raw, &h); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotSafetensors, err)
	}
	for dtype, name := range safetensorsType {
		if name != h.DType {
			continue
		}
		for _, d := range h.Shape {
			if d < 0 {
				return nil, errNotSafetensors
			}
		}
		shape := shapes.Make(dtype, h.Shape...)
		if h.Offsets[0] < 0 || h.Offsets[1] > len(data) || h.Offsets[1]-h.Offsets[0] != int(shape.ByteSize()) {
			return nil, errNotSafetensors
		}
		value := tensors.FromShape(shape)
		var copied int
		err := value.MutableBytes(func(to []byte) { copied = copy(to, data[h.Offsets[0]:h.Offsets[1]]) })
		if err == nil && copied != int(shape.ByteSize()) {
			err = io.ErrShortWrite
		}
		return value, err
	}
	return nil, fmt.Errorf("%w: dtype %q", errNotSafetensors, h.DType)
}

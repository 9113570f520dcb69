package safetensors_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/safetensors"

	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/gomlx/core/tensors"
)

// Every dtype and shape comes back, with the metadata.
func TestEncodeAndDecode(t *testing.T) {
	metadata := map[string]string{"a": "b", "": "ö\n"}
	var values []safetensors.Tensor
	for i, v := range []any{
		float32(1),
		[]float32{1, 2},
		[][]float64{{1, 2}, {3, 4}},
		[]float16.Float16{float16.FromFloat32(0.5)},
		[]bfloat16.BFloat16{bfloat16.FromFloat32(2)},
		int8(-1),
		[]int16{-2},
		[]int32{3},
		[]int64{-1 << 62},
		uint8(5),
		[]uint16{6},
		[]uint32{7},
		[]uint64{1 << 63},
		[]bool{true, false},
	} {
		values = append(values, safetensors.Tensor{Name: fmt.Sprint("/", i), Value: tensors.MustFromAnyValue(v)})
	}
	raw, err := safetensors.Encode(values, metadata)
	if err != nil {
		t.Fatal(err)
	}
	file, err := safetensors.Decode(raw)
	if err != nil || !file.Intact || len(file.Tensors) != len(values) || !maps.Equal(file.Metadata, metadata) {
		t.Fatalf("%d tensors and %v come back (%v)", len(file.Tensors), file.Metadata, err)
	}
	for _, v := range values {
		for _, got := range file.Tensors {
			if got.Name == v.Name && !got.Value.Equal(v.Value) {
				t.Errorf("%s comes back as %s, expected %s", v.Name, got.Value, v.Value)
			}
		}
	}
	raw[len(raw)-1] ^= 1
	if file, err := safetensors.Decode(raw); err != nil || file.Intact {
		t.Errorf("with another bit: %v, and the checksum is right: %v", err, file.Intact)
	}
	_, err = safetensors.Encode([]safetensors.Tensor{{Name: "c", Value: tensors.FromValue(complex64(1))}}, nil)
	if err == nil || !strings.Contains(err.Error(), "the variable c is (Complex64), which a safetensors file can't hold") {
		t.Errorf("got %v", err)
	}
}

// A header that its data doesn't bear out is an error before any memory is taken.
func TestDecodeRefuses(t *testing.T) {
	file := func(header string, data int) []byte {
		raw := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
		return append(append(raw, header...), make([]byte, data)...)
	}
	one := func(dtype, shape, offsets string) string {
		return fmt.Sprintf(`{"w":{"dtype":%q,"shape":%s,"data_offsets":%s}}`, dtype, shape, offsets)
	}
	for want, raw := range map[string][]byte{
		"it is not a safetensors file":                   []byte("{}"),
		"not a safetensors file, or was cut off":         file("[]", 0),
		"its header says that it has 1000 bytes, and 2":  append(binary.LittleEndian.AppendUint64(nil, 1000), "{}"...),
		"its header can't be read":                       file("{]", 0),
		"its metadata can't be read":                     file(`{"__metadata__":{"a":1}}`, 0),
		"the tensor w can't be read":                     file(`{"w":7}`, 0),
		`the tensor w has the dtype "F8_E4M3", which`:    file(one("F8_E4M3", "[1]", "[0,1]"), 1),
		"the tensor w has the offsets [0 8] in 4 bytes":  file(one("F32", "[2]", "[0,8]"), 4),
		"the tensor w has the offsets [4 0] in 4":        file(one("F32", "[1]", "[4,0]"), 4),
		"the tensor w has the offsets [-4 0]":            file(one("F32", "[1]", "[-4,0]"), 4),
		"has the shape [-1], and":                        file(one("F32", "[-1]", "[0,4]"), 4),
		"the shape [2] of F32, which are 8 bytes":        file(one("F32", "[2]", "[0,4]"), 4),
		"the shape [4294967296 4294967296], and":         file(one("F32", "[4294967296,4294967296]", "[0,0]"), 0),
		"the shape [0 4611686018427387904]":              file(one("F32", "[0,4611686018427387904]", "[0,0]"), 0),
		"the shape [3037000500 3037000500 2]":            file(one("U8", "[3037000500,3037000500,2]", "[0,8]"), 8),
		"the tensor w begins at byte 4 of the data":      file(one("F32", "[1]", "[4,8]"), 8),
		"its tensors have 4 bytes, and there are 8":      file(one("F32", "[1]", "[0,4]"), 8),
		"the tensor b begins at byte 0 of the data, and": file(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`, 4),
		"the tensor b begins at byte 2 of the data, and": file(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}`, 6),
	} {
		_, err := safetensors.Decode(raw)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, expected %q", err, want)
		}
	}
	_, err := safetensors.Decode(file(one("F32", "[1]", "[0,4]"), 8))
	if !errors.Is(err, safetensors.ErrDamaged) {
		t.Errorf("%v isn't ErrDamaged", err)
	}
}

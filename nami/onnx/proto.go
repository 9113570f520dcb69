package onnx

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"google.golang.org/protobuf/encoding/protowire"
)

// The file's format is onnx.proto's (IR version 8, with the operators of version 18, which
// ONNX Runtime knows since 1.14): of its messages these are in use. Numbers of fields are
// those given there.
const (
	irVersion     = 8
	opsetVersion  = 18
	mostBytes     = math.MaxInt32 // of a protocol buffer
	typeInt       = 2
	typeString    = 3
	typeGraph     = 5
	typeInts      = 7
	producer      = "nami"
	rowsDimension = "rows"
)

// elementTypes are the numbers of TensorProto.DataType.
var elementTypes = map[dtypes.DType]int{
	dtypes.Float32: 1, dtypes.Uint8: 2, dtypes.Int8: 3, dtypes.Uint16: 4, dtypes.Int16: 5, dtypes.Int32: 6,
	dtypes.Int64: 7, dtypes.Bool: 9, dtypes.Float64: 11, dtypes.Uint32: 12, dtypes.Uint64: 13,
}

// node is a NodeProto.
type node struct {
	kind            string
	inputs, outputs []string
	attributes      []attribute // a value may be a *graphProto as well
}

// tensor is a TensorProto.
type tensor struct {
	name  string
	dtype dtypes.DType
	dims  []int64
	raw   []byte
}

// info is a ValueInfoProto: a name with its dtype and shape. A length that is so many per row
// has its number there in per.
type info struct {
	name      string
	dtype     dtypes.DType
	dims, per []int64
}

// graphProto is a GraphProto.
type graphProto struct {
	name            string
	nodes           []node
	initializers    []tensor
	inputs, outputs []info
}

// message is a protocol buffer that is being written.
type message []byte

func (m message) text(field protowire.Number, s string) message {
	return protowire.AppendString(protowire.AppendTag(m, field, protowire.BytesType), s)
}

func (m message) bytes(field protowire.Number, b []byte) message {
	return protowire.AppendBytes(protowire.AppendTag(m, field, protowire.BytesType), b)
}

func (m message) integer(field protowire.Number, n int64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, field, protowire.VarintType), uint64(n))
}

func (n node) encode() (m message) {
	for _, name := range n.inputs {
		m = m.text(1, name)
	}
	for _, name := range n.outputs {
		m = m.text(2, name)
	}
	m = m.text(4, n.kind)
	for _, a := range n.attributes {
		m = m.bytes(5, a.encode())
	}
	return m
}

func (a attribute) encode() (m message) {
	m = m.text(1, a.name)
	switch v := a.value.(type) {
	case int64:
		return m.integer(3, v).integer(20, typeInt)
	case string:
		return m.text(4, v).integer(20, typeString)
	case *graphProto:
		return m.bytes(6, v.encode()).integer(20, typeGraph)
	case []int64:
		for _, n := range v {
			m = m.integer(8, n)
		}
		return m.integer(20, typeInts)
	}
	panic("onnx: an attribute of another type")
}

func (t tensor) encode() (m message) {
	for _, d := range t.dims {
		m = m.integer(1, d)
	}
	return m.integer(2, int64(elementTypes[t.dtype])).text(8, t.name).bytes(9, t.raw)
}

func (i info) encode() (m message) {
	var shape message
	for axis, d := range i.dims {
		dimension := message{}.integer(1, d)
		if i.per != nil && i.per[axis] != 0 {
			dimension = message{}.text(2, perRowName(i.per[axis]))
		}
		shape = shape.bytes(1, dimension)
	}
	kind := message{}.integer(1, int64(elementTypes[i.dtype])).bytes(2, shape)
	return m.text(1, i.name).bytes(2, message{}.bytes(1, kind))
}

func (g *graphProto) encode() (m message) {
	for _, n := range g.nodes {
		m = m.bytes(1, n.encode())
	}
	m = m.text(2, g.name)
	for _, t := range g.initializers {
		m = m.bytes(5, t.encode())
	}
	for _, i := range g.inputs {
		m = m.bytes(11, i.encode())
	}
	for _, i := range g.outputs {
		m = m.bytes(12, i.encode())
	}
	return m
}

// encodeModel is a whole file. about describes it, in pairs of a key and a value.
func encodeModel(g *graphProto, about [][2]string) (m message) {
	m = m.integer(1, irVersion).text(2, producer).bytes(7, g.encode())
	m = m.bytes(8, message{}.text(1, "").integer(2, opsetVersion))
	for _, pair := range about {
		m = m.bytes(14, message{}.text(1, pair[0]).text(2, pair[1]))
	}
	return m
}

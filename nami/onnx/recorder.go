package onnx

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/loop"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/notimplemented"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// recorder is a backend that runs nothing: it writes down of which operations a graph is
// made, in ONNX's terms. The recording of a graph is kept by its name.
type recorder struct {
	notimplemented.Backend
	recordings map[string]*recording
}

// record builds a graph over the weights in store and returns its recording.
func record(store *model.Store, inputs []shapes.Shape, build func(scope *model.Scope, in []*Node) []*Node) (*recording, error) {
	const name = "exported" // other graphs are looked at on the way and thrown away
	r := &recorder{recordings: map[string]*recording{}}
	err := loop.Exclusively(store, func() error {
		known := map[*model.Variable]bool{}
		for v := range store.IterVariables() {
			known[v] = true
		}
		err := gomlx.Try(func() error {
			g := NewGraph(r, name)
			defer g.Finalize()
			model.SetStore(g, store)
			var in []*Node
			for i, shape := range inputs {
				in = append(in, Parameter(g, fmt.Sprint(i), shape))
			}
			g.CurrentFunc().Return(build(store.RootScope().ResetVisited(), in), nil)
			for v := range store.IterVariables() {
				if v.ChangedInGraph(g) {
					return fmt.Errorf("onnx: the variable %s changes (dropout, batch statistics or random numbers?): a file can only read its variables", v.Path())
				}
			}
			return nil
		})
		if lacks := lacking(store, known); err == nil {
			err = lacks
		}
		return err
	})
	return r.recordings[name], err
}

// lacking is an error if the graph has made variables, and takes them out of the store again.
func lacking(store *model.Store, known map[*model.Variable]bool) error {
	var made []string
	for v := range store.IterVariables() {
		if !known[v] {
			made = append(made, v.Path())
		}
	}
	for _, path := range made {
		if err := store.DeleteVariable(path); err != nil {
			return err
		}
	}
	if len(made) > 0 {
		return fmt.Errorf("onnx: the store lacks %d of the graph's variables, such as %s: train the model or load it first", len(made), made[0])
	}
	return nil
}

// Name implements [compute.Backend].
func (r *recorder) Name() string { return "onnx" }

// String implements [compute.Backend].
func (r *recorder) String() string { return r.Name() }

// Description implements [compute.Backend].
func (r *recorder) Description() string { return "writes graphs as ONNX files, and runs none" }

// Capabilities implements [compute.Backend].
func (r *recorder) Capabilities() compute.Capabilities {
	c := r.Backend.Capabilities()
	c.Functions = true
	for dtype := range elementTypes {
		c.DTypes[dtype] = true
	}
	return c
}

// Builder implements [compute.Backend].
func (r *recorder) Builder(name string) compute.Builder {
	b := &recording{}
	b.ErrFn = cannotWrite
	b.main = newFunction(b, nil)
	r.recordings[name] = b
	return b
}

// recording is one graph: its main function, and all values in the order in which they were
// made, those of loops' functions as well.
type recording struct {
	notimplemented.Builder
	main   *function
	values []*value
}

// Main implements [compute.Builder].
func (b *recording) Main() compute.Function { return b.main }

// OpShape implements [compute.Builder].
func (b *recording) OpShape(v compute.Value) (shapes.Shape, error) { return v.(*value).shape, nil }

// function is the graph itself, or a closure: what a loop repeats, or what says whether it
// goes on.
type function struct {
	notimplemented.Function
	recording  *recording
	parent     *function
	parameters []*value
	operations []*operation
	results    []*value
}

// value is what an operation gives, a parameter or a constant.
type value struct {
	number int // in the recording
	shape  shapes.Shape
	perRow []int64 // as in sizes, of the shape

	// One of these says where it comes from; none for a loop's parameters.
	parameter string     // the main function's
	by        *operation // with its place there in output
	constant  []byte     // little-endian
	sizes     *sizes

	output int
}

// sizes are the lengths of axes, as an operation takes them: a vector of int64, or a scalar.
// In a graph for any number of rows, per says how many there are for each row; lengths that
// don't depend on it have 0 there.
type sizes struct {
	of, per []int64
	scalar  bool
}

// operation is one of ONNX's, with its inputs in their order.
type operation struct {
	kind       string
	inputs     []*value
	attributes []attribute
	outputs    []*value

	condition, body *function // of a loop
}

// attribute is a setting of an operation: an int64, a list of them or a string.
type attribute struct {
	name  string
	value any
}

// unknown is the error of an operation that can't be recorded. GoMLX builds some in another
// way then, which it knows by the error that this one wraps.
type unknown compute.OpType

// Error names the operation.
func (op unknown) Error() string {
	return fmt.Sprintf("onnx: the operation %s can't be written to an ONNX file", compute.OpType(op))
}

// Unwrap is the error that GoMLX looks for.
func (unknown) Unwrap() error { return compute.ErrNotImplemented }

func cannotWrite(op compute.OpType) error { return unknown(op) }

func newFunction(b *recording, parent *function) *function {
	f := &function{recording: b, parent: parent}
	f.ErrFn = cannotWrite
	return f
}

func (f *function) add(v *value) *value {
	v.number = len(f.recording.values)
	f.recording.values = append(f.recording.values, v)
	return v
}

// apply adds an operation with one output.
func (f *function) apply(kind string, shape shapes.Shape, inputs []*value, attributes ...attribute) *value {
	op := &operation{kind: kind, inputs: inputs, attributes: attributes}
	out := f.add(&value{shape: shape, by: op})
	op.outputs = []*value{out}
	f.operations = append(f.operations, op)
	return out
}

// number is a constant, for the formulas that stand for what ONNX lacks.
func (f *function) number(dtype dtypes.DType, x float64) *value {
	var raw []byte
	if dtype == dtypes.Float32 {
		raw = binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(x)))
	} else {
		dtype, raw = dtypes.Float64, binary.LittleEndian.AppendUint64(nil, math.Float64bits(x))
	}
	return f.add(&value{shape: shapes.Make(dtype), constant: raw})
}

// lengths is a vector of the lengths of axes.
func (f *function) lengths(of ...int) *value {
	return f.sizes(of, false)
}

func (f *function) sizes(of []int, scalar bool) *value {
	s := &sizes{scalar: scalar}
	for _, n := range of {
		s.of = append(s.of, int64(n))
	}
	shape := shapes.Make(dtypes.Int64, len(of))
	if scalar {
		shape = shapes.Make(dtypes.Int64)
	}
	return f.add(&value{shape: shape, sizes: s})
}

// Name implements [compute.Function].
func (f *function) Name() string {
	if f.parent == nil {
		return compute.MainName
	}
	return ""
}

// Builder implements [compute.Function].
func (f *function) Builder() compute.Builder { return f.recording }

// Parent implements [compute.Function].
func (f *function) Parent() compute.Function {
	if f.parent == nil {
		return nil
	}
	return f.parent
}

// Closure implements [compute.Function].
func (f *function) Closure() (compute.Function, error) { return newFunction(f.recording, f), nil }

// Shape implements [compute.Function].
func (f *function) Shape(v compute.Value) (shapes.Shape, error) { return v.(*value).shape, nil }

// Parameter implements [compute.Function].
func (f *function) Parameter(name string, shape shapes.Shape, _ *compute.ShardingSpec) (compute.Value, error) {
	v := f.add(&value{shape: shape})
	if f.parent == nil {
		v.parameter = name
	}
	f.parameters = append(f.parameters, v)
	return v, nil
}

// Constant implements [compute.Function].
func (f *function) Constant(flat any, dims ...int) (compute.Value, error) {
	kind := reflect.TypeOf(flat)
	if kind == nil || kind.Kind() != reflect.Slice {
		return nil, fmt.Errorf("onnx: a constant is a %T: expected a slice of numbers", flat)
	}
	shape := shapes.Make(dtypes.FromGoType(kind.Elem()), dims...)
	if _, known := elementTypes[shape.DType]; !known {
		return nil, fmt.Errorf("onnx: values of %s can't be written to an ONNX file", shape.DType)
	}
	return f.add(&value{shape: shape, constant: bytes.Clone(dtypes.UnsafeByteSliceFromAny(flat))}), nil
}

// Identity implements [compute.Function].
func (f *function) Identity(x compute.Value) (compute.Value, error) { return x, nil }

// OptimizationBarrier implements [compute.Function].
func (f *function) OptimizationBarrier(operands ...compute.Value) ([]compute.Value, error) {
	return operands, nil
}

// SchedulingBarrier implements [compute.Function].
func (f *function) SchedulingBarrier(operand compute.Value, _ ...compute.Value) (compute.Value, error) {
	return operand, nil
}

// Return implements [compute.Function].
func (f *function) Return(outputs []compute.Value, _ []*compute.ShardingSpec) error {
	f.results = of(outputs)
	return nil
}

// While implements [compute.Function].
func (f *function) While(condition, body compute.Function, initial ...compute.Value) ([]compute.Value, error) {
	op := &operation{kind: "Loop", inputs: of(initial), condition: condition.(*function), body: body.(*function)}
	var out []compute.Value
	for i, v := range op.inputs {
		result := f.add(&value{shape: v.shape, by: op, output: i})
		op.outputs = append(op.outputs, result)
		out = append(out, result)
	}
	f.operations = append(f.operations, op)
	return out, nil
}

func of(values []compute.Value) []*value {
	out := make([]*value, len(values))
	for i, v := range values {
		out[i] = v.(*value)
	}
	return out
}

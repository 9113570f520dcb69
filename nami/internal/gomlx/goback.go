package gomlx

import (
	"reflect"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
)

// goBackend is GoMLX's pure Go backend without one optimisation, which it gets wrong.
//
// When a program is compiled, an operand that a BroadcastInDim of the same rank makes
// larger is put in the broadcast's place wherever an operation could as well broadcast by
// itself. By then the bodies of loops and branches have counted how often each of their
// values is used. The values that are moved are counted too few times: they are freed, or
// overwritten in place, while the operation still wants them. The program fails, or panics,
// or, where two cores race, quietly computes with something else. A value that shrinks that
// way in the main function, and is captured by a loop, has the wrong shape there.
//
// Broadcasts of a lower rank are left alone, so here all are made so: the axes that grow
// are dropped first.
type goBackend struct {
	compute.Backend
	observer Observer // nil but for an [Inspector]
}

// unlimited takes the limit from the number of workers of GoMLX's Go backend. Each operation
// that it runs beside others holds one, and a matrix product then waits, holding it, for one
// that it can share its work with: as many products at once as there are workers wait for
// one another forever. (Operations one after the other, "ops_sequential", don't hang, but
// with GOEXPERIMENT=simd a training step takes ten times as long: nearly all of it in
// math.Exp, after AVX on the same thread.) The option "parallelism=-1" does the same, and
// prints so.
func unlimited(backend compute.Backend) {
	field := reflect.Indirect(reflect.ValueOf(backend)).FieldByName("Workers") // of an internal type
	if field.IsValid() && field.CanInterface() {
		if workers, ok := field.Interface().(interface{ SetMaxParallelism(int) }); ok {
			workers.SetMaxParallelism(-1)
		}
	}
}

func (b *goBackend) Builder(name string) compute.Builder {
	return goBuilder{b.Backend.Builder(name), b}
}

func (b *goBackend) BufferFromFlatData(device compute.DeviceNum, flat any, shape shapes.Shape) (compute.Buffer, error) {
	return b.owned(b.Backend.BufferFromFlatData(device, flat, shape))
}

func (b *goBackend) NewSharedBuffer(device compute.DeviceNum, shape shapes.Shape) (compute.Buffer, any, error) {
	buffer, flat, err := b.Backend.NewSharedBuffer(device, shape)
	buffer, err = b.owned(buffer, err)
	return buffer, flat, err
}

// goBuffer says that it is of the wrapped backend: a tensor refuses any other.
type goBuffer struct {
	compute.Buffer
	backend *goBackend
}

func (b *goBackend) owned(buffer compute.Buffer, err error) (compute.Buffer, error) {
	if err != nil {
		return nil, err
	}
	return goBuffer{buffer, b}, nil
}

func (b goBuffer) Backend() compute.Backend { return b.backend }

func (b goBuffer) CopyToDevice(device compute.DeviceNum) (compute.Buffer, error) {
	return b.backend.owned(b.Buffer.CopyToDevice(device))
}

type goExecutable struct {
	compute.Executable
	backend *goBackend
}

func (e goExecutable) Execute(inputs []compute.Buffer, donate []bool, device compute.DeviceNum) ([]compute.Buffer, error) {
	bare := make([]compute.Buffer, len(inputs))
	for i, input := range inputs {
		bare[i] = input
		if input, ok := input.(goBuffer); ok {
			bare[i] = input.Buffer
		}
	}
	outputs, err := e.Executable.Execute(bare, donate, device)
	for i, output := range outputs {
		outputs[i] = goBuffer{output, e.backend}
	}
	return outputs, err
}

type goBuilder struct {
	compute.Builder
	backend *goBackend
}

func (b goBuilder) Compile() (compute.Executable, error) {
	executable, err := b.Builder.Compile()
	if err != nil {
		return nil, err
	}
	return goExecutable{executable, b.backend}, nil
}

func (b goBuilder) Main() compute.Function { return goFunction{b.Builder.Main(), b} }

func (b goBuilder) NewFunction(name string) (compute.Function, error) {
	return b.wrap(b.Builder.NewFunction(name))
}

// goFunction hands out wrapped functions, and takes the wrapping off the ones it is given.
type goFunction struct {
	compute.Function
	builder goBuilder
}

func (b goBuilder) wrap(f compute.Function, err error) (compute.Function, error) {
	if err != nil {
		return nil, err
	}
	return goFunction{f, b}, nil
}

func bare(f compute.Function) compute.Function {
	if f, ok := f.(goFunction); ok {
		return f.Function
	}
	return f
}

func (f goFunction) Builder() compute.Builder { return f.builder }

func (f goFunction) Parent() compute.Function {
	parent := f.Function.Parent()
	if parent == nil {
		return nil
	}
	return goFunction{parent, f.builder}
}

func (f goFunction) Closure() (compute.Function, error) {
	return f.builder.wrap(f.Function.Closure())
}

func (f goFunction) Call(g compute.Function, inputs ...compute.Value) ([]compute.Value, error) {
	return f.Function.Call(bare(g), inputs...)
}

func (f goFunction) Sort(comparator compute.Function, axis int, isStable bool, inputs ...compute.Value) ([]compute.Value, error) {
	if observer := f.builder.backend.observer; observer != nil {
		observer.Sort(axis, isStable)
	}
	return f.Function.Sort(bare(comparator), axis, isStable, inputs...)
}

func (f goFunction) While(cond, body compute.Function, initialState ...compute.Value) ([]compute.Value, error) {
	return f.Function.While(bare(cond), bare(body), initialState...)
}

func (f goFunction) If(pred compute.Value, trueBranch, falseBranch compute.Function) ([]compute.Value, error) {
	return f.Function.If(pred, bare(trueBranch), bare(falseBranch))
}

func (f goFunction) BroadcastInDim(x compute.Value, outputShape shapes.Shape, broadcastAxes []int) (compute.Value, error) {
	shape, err := f.Shape(x)
	if err != nil {
		return nil, err
	}
	if shape.Rank() != outputShape.Rank() || shape.IsDynamic() || outputShape.IsDynamic() || len(broadcastAxes) != shape.Rank() {
		return f.Function.BroadcastInDim(x, outputShape, broadcastAxes)
	}
	if shape.Equal(outputShape) {
		return x, nil
	}
	var dims, axes []int
	for i, axis := range broadcastAxes {
		if axis < 0 || axis >= outputShape.Rank() { // the backend's error is as good as ours
			return f.Function.BroadcastInDim(x, outputShape, broadcastAxes)
		}
		if d := shape.Dimensions[i]; d != 1 || outputShape.Dimensions[axis] == 1 {
			dims, axes = append(dims, d), append(axes, axis)
		}
	}
	if x, err = f.Reshape(x, dims...); err != nil {
		return nil, err
	}
	return f.Function.BroadcastInDim(x, outputShape, axes)
}

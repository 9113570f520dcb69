package onnx

import (
	"math"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapeinference"
	"github.com/gomlx/compute/shapes"
)

// reshape gives x other axes.
func (f *function) reshape(x *value, dims ...int) *value {
	if slices.Equal(x.shape.Dimensions, dims) {
		return x
	}
	return f.apply("Reshape", shapes.Make(x.shape.DType, dims...), []*value{x, f.lengths(dims...)})
}

// Reshape implements [compute.StandardOps], as do the methods below.
func (f *function) Reshape(v compute.Value, dims ...int) (compute.Value, error) {
	x := v.(*value)
	shape, err := shapeinference.Reshape(x.shape, dims)
	if err != nil {
		return nil, err
	}
	return f.reshape(x, shape.Dimensions...), nil
}

func (f *function) BroadcastInDim(v compute.Value, shape shapes.Shape, axes []int) (compute.Value, error) {
	x := v.(*value)
	if err := shapeinference.BroadcastInDim(x.shape, shape, axes, nil); err != nil {
		return nil, err
	}
	if !slices.IsSorted(axes) {
		order := sequence(len(axes))
		slices.SortFunc(order, func(i, j int) int { return axes[i] - axes[j] })
		var err error
		if x, err = f.transpose(x, order); err != nil {
			return nil, err
		}
		axes = slices.Sorted(slices.Values(axes))
	}
	dims := slices.Repeat([]int{1}, shape.Rank())
	for i, axis := range axes {
		dims[axis] = x.shape.Dimensions[i]
	}
	x = f.reshape(x, dims...)
	if slices.Equal(dims, shape.Dimensions) {
		return x, nil
	}
	return f.apply("Expand", shape, []*value{x, f.lengths(shape.Dimensions...)}), nil
}

func (f *function) transpose(x *value, permutation []int) (*value, error) {
	shape, err := shapeinference.Transpose(x.shape, permutation)
	if err != nil {
		return nil, err
	}
	if slices.IsSorted(permutation) {
		return x, nil
	}
	return f.apply("Transpose", shape, []*value{x}, attribute{"perm", wide(permutation)}), nil
}

func (f *function) Transpose(x compute.Value, permutation ...int) (compute.Value, error) {
	return f.transpose(x.(*value), permutation)
}

func (f *function) Concatenate(axis int, operands ...compute.Value) (compute.Value, error) {
	values := of(operands)
	var all []shapes.Shape
	for _, x := range values {
		all = append(all, x.shape)
	}
	shape, err := shapeinference.Concatenate(all, axis)
	if err != nil {
		return nil, err
	}
	return f.apply("Concat", shape, values, attribute{"axis", int64(axis)}), nil
}

func (f *function) Slice(v compute.Value, starts, limits, strides []int) (compute.Value, error) {
	x := v.(*value)
	shape, err := shapeinference.Slice(x.shape, starts, limits, strides)
	if err != nil {
		return nil, err
	}
	var from, to, axes, steps []int
	for axis, size := range x.shape.Dimensions {
		stride := 1
		if len(strides) > 0 {
			stride = strides[axis]
		}
		if starts[axis] == 0 && limits[axis] == size && stride == 1 {
			continue
		}
		from, to, axes, steps = append(from, starts[axis]), append(to, limits[axis]), append(axes, axis), append(steps, stride)
	}
	if len(axes) == 0 {
		return x, nil
	}
	return f.apply("Slice", shape, []*value{x, f.lengths(from...), f.lengths(to...), f.lengths(axes...), f.lengths(steps...)}), nil
}

func (f *function) Reverse(v compute.Value, axes ...int) (compute.Value, error) {
	x := v.(*value)
	if len(axes) == 0 {
		return x, nil
	}
	back := f.lengths(slices.Repeat([]int{-1}, len(axes))...)
	end := f.lengths(slices.Repeat([]int{math.MinInt64}, len(axes))...)
	return f.apply("Slice", x.shape, []*value{x, back, end, f.lengths(axes...), back}), nil
}

func (f *function) Pad(v, fill compute.Value, config ...compute.PadAxis) (compute.Value, error) {
	x := v.(*value)
	shape, err := shapeinference.Pad(x.shape, config...)
	if err != nil {
		return nil, err
	}
	pads := make([]int, 2*x.shape.Rank())
	for axis, pad := range config {
		if pad.Interior != 0 {
			return nil, unknown(compute.OpTypePad)
		}
		pads[axis], pads[x.shape.Rank()+axis] = pad.Start, pad.End
	}
	return f.apply("Pad", shape, []*value{x, f.lengths(pads...), fill.(*value)}), nil
}

func (f *function) Iota(shape shapes.Shape, axis int) (compute.Value, error) {
	n := shape.Dimensions[axis]
	counted := f.apply("Range", shapes.Make(dtypes.Int64, n), []*value{f.sizes([]int{0}, true), f.sizes([]int{n}, true), f.sizes([]int{1}, true)})
	return f.BroadcastInDim(f.cast(counted, shape.DType), shape, []int{axis})
}

func wide(axes []int) []int64 {
	out := make([]int64, len(axes))
	for i, axis := range axes {
		out[i] = int64(axis)
	}
	return out
}

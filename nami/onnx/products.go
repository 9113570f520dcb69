package onnx

import (
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapeinference"
	"github.com/gomlx/compute/shapes"
)

// DotGeneral implements [compute.StandardOps]: a matrix product where it is one, else a sum
// in Einstein's notation.
func (f *function) DotGeneral(lhs compute.Value, lhsContracting, lhsBatch []int, rhs compute.Value, rhsContracting, rhsBatch []int, config compute.DotGeneralConfig) (compute.Value, error) {
	a, b := lhs.(*value), rhs.(*value)
	shape, err := shapeinference.DotGeneral(a.shape, lhsContracting, lhsBatch, b.shape, rhsContracting, rhsBatch, config)
	if err != nil {
		return nil, err
	}
	dtype := a.shape.DType
	if config.AccumulatorDType != dtypes.InvalidDType {
		dtype = config.AccumulatorDType
	}
	if dtype, err = computed(dtype); err != nil {
		return nil, err
	}
	a, b = f.cast(a, dtype), f.cast(b, dtype)
	if len(lhsBatch) == 0 && b.shape.Rank() == 2 && a.shape.Rank() >= 2 && slices.Equal(lhsContracting, []int{a.shape.Rank() - 1}) && len(rhsContracting) == 1 {
		if rhsContracting[0] == 1 {
			if b, err = f.transpose(b, []int{1, 0}); err != nil {
				return nil, err
			}
		}
		return f.cast(f.apply("MatMul", as(shape, dtype), []*value{a, b}), shape.DType), nil
	}
	equation := einsum(a.shape.Rank(), lhsContracting, lhsBatch, b.shape.Rank(), rhsContracting, rhsBatch)
	return f.cast(f.apply("Einsum", as(shape, dtype), []*value{a, b}, attribute{"equation", equation}), shape.DType), nil
}

// einsum is the equation of a product: the result has the batch axes, then the free ones of
// both operands.
func einsum(lhsRank int, lhsContracting, lhsBatch []int, rhsRank int, rhsContracting, rhsBatch []int) string {
	letter := byte('a')
	letters := func(rank int) []byte {
		axes := make([]byte, rank)
		for i := range axes {
			axes[i] = letter
			if letter++; letter == 'z'+1 {
				letter = 'A'
			}
		}
		return axes
	}
	lhs, rhs := letters(lhsRank), letters(rhsRank)
	var out []byte
	for i, axis := range lhsBatch {
		rhs[rhsBatch[i]] = lhs[axis]
		out = append(out, lhs[axis])
	}
	for i, axis := range lhsContracting {
		rhs[rhsContracting[i]] = lhs[axis]
	}
	for axis, c := range lhs {
		if !slices.Contains(lhsBatch, axis) && !slices.Contains(lhsContracting, axis) {
			out = append(out, c)
		}
	}
	for axis, c := range rhs {
		if !slices.Contains(rhsBatch, axis) && !slices.Contains(rhsContracting, axis) {
			out = append(out, c)
		}
	}
	return strings.Join([]string{string(lhs), ",", string(rhs), "->", string(out)}, "")
}

// ConvGeneral implements [compute.StandardOps].
func (f *function) ConvGeneral(input, kernel compute.Value, axes compute.ConvolveAxesConfig, strides []int, paddings [][2]int, inputDilations, kernelDilations []int, channelGroups, batchGroups int) (compute.Value, error) {
	x, k := input.(*value), kernel.(*value)
	shape, err := shapeinference.ConvGeneral(x.shape, k.shape, axes, strides, paddings, inputDilations, kernelDilations, channelGroups, batchGroups)
	if err != nil {
		return nil, err
	}
	spread := slices.ContainsFunc(inputDilations, func(d int) bool { return d > 1 })
	if spread || batchGroups > 1 { // what gradients of convolutions are made of
		return nil, unknown(compute.OpTypeConvGeneral)
	}
	// ONNX has the batch first, then the channels.
	if x, err = f.transpose(x, slices.Concat([]int{axes.InputBatch, axes.InputChannels}, axes.InputSpatial)); err != nil {
		return nil, err
	}
	if k, err = f.transpose(k, slices.Concat([]int{axes.KernelOutputChannels, axes.KernelInputChannels}, axes.KernelSpatial)); err != nil {
		return nil, err
	}
	spatial := len(axes.InputSpatial)
	ones := slices.Repeat([]int{1}, spatial)
	if len(strides) == 0 {
		strides = ones
	}
	if len(kernelDilations) == 0 {
		kernelDilations = ones
	}
	pads := make([]int, 2*spatial)
	for i, p := range paddings {
		pads[i], pads[spatial+i] = p[0], p[1]
	}
	back := make([]int, shape.Rank()) // where each axis of the result comes from
	back[axes.OutputBatch], back[axes.OutputChannels] = 0, 1
	for i, axis := range axes.OutputSpatial {
		back[axis] = 2 + i
	}
	dims := make([]int, shape.Rank())
	for axis, from := range back {
		dims[from] = shape.Dimensions[axis]
	}
	out := f.apply("Conv", shapes.Make(shape.DType, dims...), []*value{x, k},
		attribute{"strides", wide(strides)}, attribute{"pads", wide(pads)}, attribute{"dilations", wide(kernelDilations)}, attribute{"group", int64(max(1, channelGroups))})
	return f.transpose(out, back)
}

// Gather implements [compute.StandardOps], for indices that pick single elements of the axes
// that they go along.
func (f *function) Gather(operand, indices compute.Value, indexAxis int, offsetAxes, collapsed, indexMap, sliceSizes []int, _ bool) (compute.Value, error) {
	x, at := operand.(*value), indices.(*value)
	shape, err := shapeinference.Gather(x.shape, at.shape, indexAxis, offsetAxes, collapsed, indexMap, sliceSizes, false)
	if err != nil {
		return nil, err
	}
	order := slices.Clone(indexMap)
	var kept []int // what is left of the operand, in its order
	for axis, size := range x.shape.Dimensions {
		indexed := slices.Contains(indexMap, axis)
		if indexed && sliceSizes[axis] != 1 || !indexed && sliceSizes[axis] != size {
			return nil, unknown(compute.OpTypeGather)
		}
		if !indexed {
			order = append(order, axis)
		}
		if !slices.Contains(collapsed, axis) {
			kept = append(kept, sliceSizes[axis])
		}
	}
	if x, err = f.transpose(x, order); err != nil {
		return nil, err
	}
	// The axis of the index vectors goes last.
	rank := at.shape.Rank()
	if indexAxis == rank {
		at = f.reshape(at, append(slices.Clone(at.shape.Dimensions), 1)...)
	} else {
		permutation := slices.Delete(sequence(rank), indexAxis, indexAxis+1)
		if at, err = f.transpose(at, append(permutation, indexAxis)); err != nil {
			return nil, err
		}
	}
	lead := at.shape.Dimensions[:at.shape.Rank()-1]
	rest := x.shape.Dimensions[len(indexMap):]
	out := f.apply("GatherND", shapes.Make(x.shape.DType, slices.Concat(lead, rest)...), []*value{x, f.cast(at, dtypes.Int64)})
	out = f.reshape(out, slices.Concat(lead, kept)...)
	// The axes of the indices come first, and go where the result's offsets leave room.
	permutation := make([]int, shape.Rank())
	fromLead, fromKept := 0, len(lead)
	for axis := range permutation {
		if slices.Contains(offsetAxes, axis) {
			permutation[axis] = fromKept
			fromKept++
		} else {
			permutation[axis] = fromLead
			fromLead++
		}
	}
	return f.transpose(out, permutation)
}

func sequence(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

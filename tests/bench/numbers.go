package main

import (
	"math"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// The tasks' numbers come from a hash of 32 bits that any language can compute, so that
// programs can check that they do the same work.

// uniform is value i of the sequence with that seed, in [0, 1).
func uniform(seed, i uint32) float64 {
	x := i + seed*0x9e3779b9
	x ^= x >> 16
	x *= 0x7feb352d
	x ^= x >> 15
	x *= 0x846ca68b
	x ^= x >> 16
	return float64(x>>8) / (1 << 24)
}

func uniformTensor(seed uint32, dims ...int) *tensors.Tensor {
	return tensorOf(func(i int) float64 { return uniform(seed, uint32(i)) }, dims...)
}

func normalTensor(seed uint32, dims ...int) *tensors.Tensor {
	return tensorOf(func(i int) float64 {
		u, v := uniform(seed, uint32(2*i)), uniform(seed, uint32(2*i+1))
		return math.Sqrt(-2*math.Log(1-u)) * math.Cos(2*math.Pi*v)
	}, dims...)
}

func tensorOf(value func(i int) float64, dims ...int) *tensors.Tensor {
	size := 1
	for _, d := range dims {
		size *= d
	}
	flat := make([]float32, size)
	for i := range flat {
		flat[i] = float32(value(i))
	}
	return tensors.FromFlatDataAndDimensions(flat, dims...)
}

// mlpLayer is the scope of a layer of an MLP.
func mlpLayer(store *model.Store, l int) *model.Scope {
	return store.RootScope().At("mlp").At("layer_%d", l).At("dense")
}

// setLayer gives layer number l of a network its weights, with dimensions that end in those of
// what goes in and comes out, before them those of a convolution's window.
func setLayer(scope *model.Scope, l int, dims ...int) error {
	out := dims[len(dims)-1]
	in := 1
	for _, d := range dims[:len(dims)-1] {
		in *= d
	}
	limit := 1 / math.Sqrt(float64(in))
	value := func(seed int) func(i int) float64 {
		return func(i int) float64 { return (2*uniform(uint32(seed), uint32(i)) - 1) * limit }
	}
	if _, err := scope.CreateVariable("weights", tensorOf(value(2*l+1), dims...)); err != nil {
		return err
	}
	_, err := scope.CreateVariable("biases", tensorOf(value(2*l+2), out))
	return err
}

// summary is what the tasks check of samples: mean, mean square, first and last value.
func summary(x *tensors.Tensor) (check []float64, err error) {
	err = x.ConstFlatData(func(flat any) {
		values := flat.([]float32)
		var sum, squares float64
		for _, v := range values {
			sum += float64(v)
			squares += float64(v) * float64(v)
		}
		n := float64(len(values))
		check = []float64{sum / n, squares / n, float64(values[0]), float64(values[len(values)-1])}
	})
	return check, err
}

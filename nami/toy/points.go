package toy

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/gomlx/core/tensors"
)

// draw makes n points of the given dimension, and labels, one after the other. The stream
// keeps the random numbers apart from those that another set draws from the same seed.
func draw(set string, seed int64, stream uint64, n, dim int, point func(rng *rand.Rand, i int, x []float64) (label int)) (*tensors.Tensor, []int, error) {
	if n < 0 {
		return nil, nil, fmt.Errorf("toy.%s: n is %d: give the number of points, 0 or more", set, n)
	}
	rng := rand.New(rand.NewPCG(uint64(seed), stream))
	flat, labels, x := make([]float32, 0, n*dim), make([]int, n), make([]float64, dim)
	for i := range n {
		labels[i] = point(rng, i, x)
		for _, v := range x {
			if !(math.Abs(v) <= math.MaxFloat32) {
				return nil, nil, fmt.Errorf("toy.%s: a coordinate of point %d is %g, which float32 can't hold: give smaller parameters", set, i, v)
			}
			flat = append(flat, float32(v))
		}
	}
	return tensors.FromFlatDataAndDimensions(flat, n, dim), labels, nil
}

// jitter adds Gaussian noise. The conversion forbids a fused multiply-add, which some
// processors have and others lack.
func jitter(rng *rand.Rand, x []float64, std float64) {
	for i := range x {
		x[i] += float64(std * rng.NormFloat64())
	}
}

// orDefault is v, or if that is zero the default.
func orDefault[T int | float64](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// positive refuses a value that is not finite and above 0.
func positive(set, name string, v float64) error {
	if !(v > 0) || math.IsInf(v, 1) {
		return fmt.Errorf("toy.%s: %s is %g: it must be finite and above 0, or 0 for the default", set, name, v)
	}
	return nil
}

// noise refuses a standard deviation that is not finite or below 0.
func noise(set string, std float64) error {
	if !(std >= 0) || math.IsInf(std, 1) {
		return fmt.Errorf("toy.%s: Noise is %g: give a standard deviation, finite and 0 or more, such as 0.05", set, std)
	}
	return nil
}

// values are the floats of points, which must be finite, and of which each must have dim
// values.
func values(what string, points *tensors.Tensor, dim int) ([]float64, error) {
	flat, err := gomlx.Floats("points", points)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	shape := points.Shape()
	if shape.Rank() == 0 || shape.Dim(-1) != dim {
		return nil, fmt.Errorf("%s: the points are %s: their last axis must hold the %d values of one", what, shape, dim)
	}
	return flat, nil
}

// logProb applies a log-density to each of the points, lead+[dim].
func logProb(set string, points *tensors.Tensor, dim int, f func(x []float64) float64) (*tensors.Tensor, error) {
	flat, err := values("toy."+set, points, dim)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(flat)/dim)
	for i := range out {
		if out[i] = f(flat[i*dim : (i+1)*dim]); math.IsNaN(out[i]) {
			return nil, fmt.Errorf("toy.%s: float64 can't hold what the density of point %d, %g, is computed from: scale points or parameters", set, i, flat[i*dim:(i+1)*dim])
		}
	}
	dims := points.Shape().Dimensions
	return gomlx.FromFloats(points.DType(), out, dims[:len(dims)-1]...), nil
}

// logSumExp is log Σ exp(v), which doesn't underflow.
func logSumExp(v []float64) float64 {
	largest := math.Inf(-1)
	for _, v := range v {
		largest = max(largest, v)
	}
	if math.IsInf(largest, -1) {
		return largest
	}
	sum := 0.0
	for _, v := range v {
		sum += math.Exp(v - largest)
	}
	return largest + math.Log(sum)
}

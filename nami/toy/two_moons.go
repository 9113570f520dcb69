// Package toy holds small data sets with which to try, teach and test generative
// models: points in the plane drawn from a seed, and real images that are embedded.
package toy

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"
)

// TwoMoons is the distribution of points on two interleaving half circles of
// radius 1 with Gaussian noise: with θ uniform on [0, π] the upper moon is
// (cos θ, sin θ), the lower one (1 - cos θ, ½ - sin θ), as in scikit-learn's
// make_moons.
type TwoMoons struct {
	// Noise is the standard deviation of the noise on each coordinate; 0 leaves the
	// points on the curves.
	Noise float64
}

// Sample returns n points as float32 [n, 2]. Even rows are of the upper moon, odd
// rows of the lower. A seed gives the same points on every run, and a smaller n
// gives the first of them. It is an error if n or Noise is negative, or Noise is not
// finite.
func (m TwoMoons) Sample(seed int64, n int) (*tensors.Tensor, error) {
	if n < 0 {
		return nil, fmt.Errorf("toy.TwoMoons: n is %d: give the number of points, 0 or more", n)
	}
	if !(m.Noise >= 0) || math.IsInf(m.Noise, 1) {
		return nil, fmt.Errorf("toy.TwoMoons: Noise is %g: give a standard deviation, finite and 0 or more, such as 0.05", m.Noise)
	}
	rng := rand.New(rand.NewPCG(uint64(seed), moonsStream))
	points := make([]float32, 0, 2*n)
	for i := range n {
		sin, cos := math.Sincos(math.Pi * rng.Float64())
		x, y := cos, sin
		if i%2 == 1 {
			x, y = 1-cos, 0.5-sin
		}
		// The conversions forbid a fused multiply-add, which some processors have and
		// others lack.
		x += float64(m.Noise * rng.NormFloat64())
		y += float64(m.Noise * rng.NormFloat64())
		points = append(points, float32(x), float32(y))
	}
	return tensors.FromFlatDataAndDimensions(points, n, 2), nil
}

// moonsStream keeps the random numbers apart from those that another toy set draws
// from the same seed.
const moonsStream = 0x6d6f6f6e73 // "moons"

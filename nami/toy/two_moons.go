package toy

import (
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

var _ Labelled = TwoMoons{}

// Sample returns n points as float32 [n, 2]. Even rows are of the upper moon, odd
// rows of the lower. A seed gives the same points on every run, and a smaller n
// gives the first of them. It is an error if n or Noise is negative, or Noise is not
// finite.
func (m TwoMoons) Sample(seed int64, n int) (*tensors.Tensor, error) {
	points, _, err := m.SampleLabelled(seed, n)
	return points, err
}

// SampleLabelled returns the points of Sample and their labels: 0 for the upper moon, 1
// for the lower.
func (m TwoMoons) SampleLabelled(seed int64, n int) (*tensors.Tensor, []int, error) {
	if err := noise("TwoMoons", m.Noise); err != nil {
		return nil, nil, err
	}
	return draw("TwoMoons", seed, moonsStream, n, 2, func(rng *rand.Rand, i int, x []float64) int {
		sin, cos := math.Sincos(math.Pi * rng.Float64())
		x[0], x[1] = cos, sin
		if i%2 == 1 {
			x[0], x[1] = 1-cos, 0.5-sin
		}
		jitter(rng, x, m.Noise)
		return i % 2
	})
}

const moonsStream = 0x6d6f6f6e73 // "moons"

package toy

import (
	"math"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"
)

// TwoSpirals is the distribution of points on two Archimedean spirals with Gaussian noise,
// which wind outwards from the origin; one is the other, rotated by half a turn. After u
// turns the radius is u. u is Turns·√v with v uniform on [0, 1], so that the points are
// spread about evenly along the arms.
type TwoSpirals struct {
	// Noise is the standard deviation of the noise on each coordinate; 0 leaves the
	// points on the curves.
	Noise float64

	// Turns is how often each arm winds around the origin, and the radius at which it ends;
	// 1.5 if 0.
	Turns float64
}

var _ Labelled = TwoSpirals{}

// Sample returns n points as float32 [n, 2], of the two arms in turn. It is an error if n
// or a parameter is out of range.
func (s TwoSpirals) Sample(seed int64, n int) (*tensors.Tensor, error) {
	points, _, err := s.SampleLabelled(seed, n)
	return points, err
}

// SampleLabelled returns the points of Sample and their labels: 0 for the arm that sets out
// to the right, 1 for the other.
func (s TwoSpirals) SampleLabelled(seed int64, n int) (*tensors.Tensor, []int, error) {
	turns := orDefault(s.Turns, 1.5)
	if err := noise("TwoSpirals", s.Noise); err != nil {
		return nil, nil, err
	}
	if err := positive("TwoSpirals", "Turns", turns); err != nil {
		return nil, nil, err
	}
	return draw("TwoSpirals", seed, spiralsStream, n, 2, func(rng *rand.Rand, i int, x []float64) int {
		u := turns * math.Sqrt(rng.Float64())
		sin, cos := math.Sincos(2*math.Pi*u + math.Pi*float64(i%2))
		x[0], x[1] = u*cos, u*sin
		jitter(rng, x, s.Noise)
		return i % 2
	})
}

const spiralsStream = 0x73706972616c73 // "spirals"

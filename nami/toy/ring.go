package toy

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/tensors"
)

// Ring is a mixture of equal isotropic Gaussians whose means stand at equal distances on a
// circle around the origin, the first one to the right.
type Ring struct {
	// Modes is the number of Gaussians; 8 if 0.
	Modes int

	// Radius is the distance of their means from the origin; 3 if 0.
	Radius float64

	// Std is their standard deviation; 0.3 if 0.
	Std float64
}

var (
	_ Labelled = Ring{}
	_ Density  = Ring{}
)

// Mixture is the ring as a [GaussianMixture]. It is an error if a parameter is out of range.
func (r Ring) Mixture() (GaussianMixture, error) {
	modes, radius, std := orDefault(r.Modes, 8), orDefault(r.Radius, 3), orDefault(r.Std, 0.3)
	if modes < 0 {
		return GaussianMixture{}, fmt.Errorf("toy.Ring: Modes is %d: give the number of Gaussians, 1 or more, or 0 for the default", modes)
	}
	if err := positive("Ring", "Radius", radius); err != nil {
		return GaussianMixture{}, err
	}
	if err := positive("Ring", "Std", std); err != nil {
		return GaussianMixture{}, err
	}
	var m GaussianMixture
	for k := range modes {
		sin, cos := math.Sincos(2 * math.Pi * float64(k) / float64(modes))
		m.Components = append(m.Components, Gaussian{
			Mean:       []float64{radius * cos, radius * sin},
			Covariance: [][]float64{{std * std, 0}, {0, std * std}},
		})
	}
	return m, nil
}

// Sample returns n points as float32 [n, 2]. It is an error if n or a parameter is out of
// range.
func (r Ring) Sample(seed int64, n int) (*tensors.Tensor, error) {
	points, _, err := r.SampleLabelled(seed, n)
	return points, err
}

// SampleLabelled implements [Labelled]: the label of a point is the number of its mode,
// counterclockwise.
func (r Ring) SampleLabelled(seed int64, n int) (*tensors.Tensor, []int, error) {
	m, err := r.Mixture()
	if err != nil {
		return nil, nil, err
	}
	return m.SampleLabelled(seed, n)
}

// LogProb implements [Density].
func (r Ring) LogProb(points *tensors.Tensor) (*tensors.Tensor, error) {
	m, err := r.Mixture()
	if err != nil {
		return nil, err
	}
	return m.LogProb(points)
}

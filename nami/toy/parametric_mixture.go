package toy

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
)

// ParametricMixture is a Gaussian signal over a Gaussian background, where one coordinate of
// the signal's mean is a parameter θ: a simulator whose likelihood and likelihood ratio are
// known.
type ParametricMixture struct {
	// Signal and Background are the components; one whose Mean is nil is that of
	// [SignalAndBackground], with the signal at the origin.
	Signal, Background Gaussian

	// Share is the part of the points that are signal; 0.3 if 0.
	Share float64

	// Axis is the number of the coordinate of the signal's mean that is θ, from 0.
	Axis int
}

// At is the mixture for a value of θ: component 1 is the signal, component 0 the
// background. It is an error if θ or a parameter is out of range.
func (p ParametricMixture) At(theta float64) (GaussianMixture, error) {
	m := SignalAndBackground(orDefault(p.Share, 0.3))
	m.Components[1].Mean[0] = 0
	for k, g := range []Gaussian{p.Background, p.Signal} {
		if g.Mean != nil {
			m.Components[k] = g
		}
	}
	if err := share("ParametricMixture", m.Weights[1]); err != nil {
		return m, err
	}
	mean := slices.Clone(m.Components[1].Mean)
	if p.Axis < 0 || p.Axis >= len(mean) {
		return m, fmt.Errorf("toy.ParametricMixture: Axis is %d: the signal's mean has %d values, so it must be from 0 to %d", p.Axis, len(mean), len(mean)-1)
	}
	if math.IsNaN(theta) || math.IsInf(theta, 0) {
		return m, fmt.Errorf("toy.ParametricMixture: θ is %v: it must be finite", theta)
	}
	mean[p.Axis] = theta
	m.Components[1].Mean = mean
	_, err := m.settle()
	return m, err
}

// LogLikelihoodRatio is log p(x | signal, θ) - log p(x | background) of each of the points,
// lead+[dimensions]: what an ideal classifier of signal and background learns.
func (p ParametricMixture) LogLikelihoodRatio(points *tensors.Tensor, theta float64) (*tensors.Tensor, error) {
	m, err := p.At(theta)
	if err != nil {
		return nil, err
	}
	s, err := m.settle()
	if err != nil {
		return nil, err
	}
	background, signal := s.parts[0], s.parts[1]
	return logProb("ParametricMixture", points, s.dim, func(x []float64) float64 {
		return signal.logProb(x) - background.logProb(x)
	})
}

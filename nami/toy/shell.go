package toy

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/stat/distuv"
)

// Shell is a signal on a circle around the origin, over a background: the signal's points
// have a uniform angle and a normal distance from the origin, those of the background are
// normal in the plane. A negative distance, which is rare as long as Width is small against
// Radius, is a point on the opposite side of the origin.
type Shell struct {
	// Radius is the signal's mean distance from the origin; 2.5 if 0.
	Radius float64

	// Width is the standard deviation of the signal's distance; 0.25 if 0.
	Width float64

	// Background is the standard deviation of the background's coordinates; 1.5 if 0.
	Background float64

	// Share is the part of the points that are signal, from 0 to 1.
	Share float64
}

var (
	_ Labelled = Shell{}
	_ Density  = Shell{}
)

// settle fills in the defaults.
func (s Shell) settle() (Shell, error) {
	s.Radius, s.Width, s.Background = orDefault(s.Radius, 2.5), orDefault(s.Width, 0.25), orDefault(s.Background, 1.5)
	for _, p := range []struct {
		name  string
		value float64
	}{{"Radius", s.Radius}, {"Width", s.Width}, {"Background", s.Background}} {
		if err := positive("Shell", p.name, p.value); err != nil {
			return s, err
		}
	}
	return s, share("Shell", s.Share)
}

// share refuses what is not a fraction of a whole.
func share(set string, v float64) error {
	if !(v >= 0 && v <= 1) {
		return fmt.Errorf("toy.%s: Share is %g: the signal's share of the points must be from 0 to 1", set, v)
	}
	return nil
}

// Sample returns n points as float32 [n, 2]. It is an error if n or a parameter is out of
// range.
func (s Shell) Sample(seed int64, n int) (*tensors.Tensor, error) {
	points, _, err := s.SampleLabelled(seed, n)
	return points, err
}

// SampleLabelled implements [Labelled]: 1 is signal, 0 background.
func (s Shell) SampleLabelled(seed int64, n int) (*tensors.Tensor, []int, error) {
	s, err := s.settle()
	if err != nil {
		return nil, nil, err
	}
	return draw("Shell", seed, shellStream, n, 2, func(rng *rand.Rand, _ int, x []float64) int {
		if rng.Float64() < s.Share {
			r := s.Radius + float64(s.Width*rng.NormFloat64())
			sin, cos := math.Sincos(2 * math.Pi * rng.Float64())
			x[0], x[1] = r*cos, r*sin
			return 1
		}
		x[0], x[1] = 0, 0
		jitter(rng, x, s.Background)
		return 0
	})
}

// LogProb implements [Density]. The signal's density at the distance r from the origin is
// (N(r) + N(-r))/2πr, where N is the normal density of the distance: it has a pole at the
// origin.
func (s Shell) LogProb(points *tensors.Tensor) (*tensors.Tensor, error) {
	s, err := s.settle()
	if err != nil {
		return nil, err
	}
	distance, coordinate := distuv.Normal{Mu: s.Radius, Sigma: s.Width}, distuv.Normal{Sigma: s.Background}
	return logProb("Shell", points, 2, func(x []float64) float64 {
		r := math.Hypot(x[0], x[1])
		around := logSumExp([]float64{distance.LogProb(r), distance.LogProb(-r)}) - math.Log(2*math.Pi*r)
		background := coordinate.LogProb(x[0]) + coordinate.LogProb(x[1])
		switch s.Share {
		case 0:
			return background // the pole times zero
		case 1:
			return around
		}
		return logSumExp([]float64{math.Log(s.Share) + around, math.Log1p(-s.Share) + background})
	})
}

const shellStream = 0x7368656c6c // "shell"

package nami

import (
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/schedule"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Ratios of noise and signal. Below vanishing, an end of time counts as pure data or pure
// noise, and is kept away from by the time at which the ratio is negligible.
const (
	vanishing  = 1e-5
	negligible = 1e-3
)

// ends are the times of a schedule between which a solve can go on.
type ends struct {
	noise, data float64
	sigma       float64 // σ at noise
}

// findEnds moves the times noise and data of a schedule inwards where it has no signal or
// no noise there.
func findEnds(backend compute.Backend, s schedule.Schedule, noise, data float64) (e ends, err error) {
	// The times asked for, then some at ever larger distances from either, up to a half.
	const perSide, nearest = 200, 1e-9
	times := []float64{noise, data}
	for i := range perSide {
		times = append(times, (noise-data)*nearest*math.Pow(0.5/nearest, float64(i)/(perSide-1)))
	}
	for i := range perSide {
		times[2+i] += data
		times = append(times, noise+data-times[2+i])
	}
	var alpha, sigma []float64
	err = gomlx.Try(func() error {
		out, err := CallOnceN(backend, func(t *Node) []*Node { return []*Node{s.Alpha(t), s.Sigma(t)} }, times)
		if err != nil {
			return err
		}
		alpha, sigma = tensors.MustCopyFlatData[float64](out[0]), tensors.MustCopyFlatData[float64](out[1])
		finalize(out)
		return nil
	})
	if err != nil {
		return e, fmt.Errorf("nami: the schedule %v: %w", s, err)
	}
	for i := range times {
		if !(alpha[i] >= 0 && sigma[i] >= 0) || math.IsInf(alpha[i]+sigma[i], 0) {
			return e, fmt.Errorf("nami: the schedule %v has α = %v and σ = %v at t = %v: both must be finite and not negative", s, alpha[i], sigma[i], times[i])
		}
	}
	e = ends{noise: noise, data: data, sigma: sigma[0]}
	if sigma[1] < vanishing*alpha[1] {
		for i := range perSide {
			if e.data = times[2+i]; sigma[2+i] >= negligible*alpha[2+i] {
				break
			}
		}
	}
	if alpha[0] < vanishing*sigma[0] {
		for i := range perSide {
			at := 2 + perSide + i
			if e.noise, e.sigma = times[at], sigma[at]; alpha[at] >= negligible*sigma[at] {
				break
			}
		}
	}
	return e, nil
}

// clock is the time that the solver sees, from data to noise as the model's, where equal
// steps of the model's time aren't what suits the velocity.
type clock struct {
	ends
	from, to float64 // data's and noise's time, by both clocks
	root     bool    // the solver's time goes with the root of the model's
}

// clock returns the one for these ends; nil where none is needed.
func (e ends) clock(noise, data float64) *clock {
	if e.noise == noise && e.data == data {
		return nil
	}
	return &clock{ends: e, from: data, to: noise, root: e.data != data}
}

// at builds the model's time t at the solver's time u, and dt/du.
func (c *clock) at(u *Node) (t, rate *Node) {
	span, length := c.noise-c.data, c.to-c.from
	u = Div(Sub(u, ConstAs(u, c.from)), ConstAs(u, length))
	rate = ConstAs(u, span/length)
	if c.root {
		rate, u = Mul(u, ConstAs(u, 2*span/length)), Square(u)
	}
	return Add(Mul(u, ConstAs(u, span)), ConstAs(u, c.data)), rate
}

// solver is the solver's time at the model's time t. A time beyond an end is that end's.
func (c *clock) solver(t float64) float64 {
	u := min(max((t-c.data)/(c.noise-c.data), 0), 1)
	if c.root {
		u = math.Sqrt(u)
	}
	return c.from + u*(c.to-c.from)
}

// model is the model's time at the solver's time u.
func (c *clock) model(u float64) float64 {
	switch u { // the ends are what they are called, not where they are kept away from
	case c.from, c.to:
		return u
	}
	u = (u - c.from) / (c.to - c.from)
	if c.root {
		u *= u
	}
	return c.data + u*(c.noise-c.data)
}

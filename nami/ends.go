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

// clock is the time as a function of the solver's u, from data to noise; nil where they
// are one.
func (e ends) clock(noise, data float64) func(u *Node) (t, rate *Node) {
	if e.noise == noise && e.data == data {
		return nil
	}
	span := e.noise - e.data
	return func(u *Node) (t, rate *Node) {
		u = Div(Sub(u, ConstAs(u, data)), ConstAs(u, noise-data))
		if e.data == data {
			return Add(Mul(u, ConstAs(u, span)), ConstAs(u, e.data)), ConstAs(u, span/(noise-data))
		}
		t = Add(Mul(Square(u), ConstAs(u, span)), ConstAs(u, e.data))
		return t, Mul(u, ConstAs(u, 2*span/(noise-data)))
	}
}

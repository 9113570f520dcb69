package schedule

import (
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/conformance"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// Check reports where s breaks a rule of [Schedule], for a test of your own type: time
// runs from data to noise, drift and diffusion belong to α and σ, each method returns
// the shape and the dtype that it should, and t stands on the lead axes of x. What s
// implements of [Differentiable] and [Invertible] is checked too. Derivatives are
// compared with central differences in float64, to 1e-4.
func Check(backend compute.Backend, s Schedule) error {
	if err := Validate(s); err != nil {
		return err
	}
	if err := gomlx.Try(func() error { checkShapes(backend, s); return nil }); err != nil {
		return fmt.Errorf("schedule.Check: %T: %w", s, err)
	}
	at, err := evaluate(backend, s)
	if err != nil {
		return fmt.Errorf("schedule.Check: %T: %w", s, err)
	}
	for _, check := range []func() error{at.direction, at.processes, at.derivatives, at.inverse} {
		if err := check(); err != nil {
			return fmt.Errorf("schedule.Check: %T: %w", s, err)
		}
	}
	return nil
}

// checkShapes panics if a method returns another shape or dtype than it should.
func checkShapes(backend compute.Backend, s Schedule) {
	conformance.Shapes(backend, func(x, t *Node) {
		conformance.Like("Alpha(t)", s.Alpha(t), "t", t)
		conformance.Like("Sigma(t)", s.Sigma(t), "t", t)
		conformance.Like("Diffusion(t)", s.Diffusion(t), "t", t)
		conformance.Like("Drift(x, t)", s.Drift(x, t), "x", x)
	})
}

// times are where a schedule is checked.
var times = conformance.Times

// evaluated holds a schedule's values at these times, and at 0 and 1.
type evaluated struct {
	alpha, sigma, diffusion []float64
	alphaSlope, sigmaSlope  []float64 // central differences
	alphaEnds, sigmaEnds    []float64
	x, drift                []float64
	alphaDot, sigmaDot      []float64 // of a Differentiable schedule
	timeOf                  []float64 // of an Invertible one
}

func evaluate(backend compute.Backend, s Schedule) (*evaluated, error) {
	differentiable, _ := s.(Differentiable)
	invertible, _ := s.(Invertible)
	x := conformance.Events(0)
	values, err := conformance.Eval(backend, func(in []*Node) []*Node {
		t, ends := in[0], in[1]
		nodes := []*Node{
			s.Alpha(t), s.Sigma(t), s.Diffusion(t), conformance.Slope(s.Alpha, t), conformance.Slope(s.Sigma, t),
			s.Alpha(ends), s.Sigma(ends), s.Drift(in[2], t),
		}
		if differentiable != nil {
			nodes = append(nodes, differentiable.AlphaDot(t), differentiable.SigmaDot(t))
		}
		if invertible != nil {
			nodes = append(nodes, invertible.TimeOf(s.Alpha(t), s.Sigma(t)))
		}
		return nodes
	}, times, []float64{0, 1}, x)
	if err != nil {
		return nil, err
	}
	at := &evaluated{
		alpha: values[0], sigma: values[1], diffusion: values[2], alphaSlope: values[3], sigmaSlope: values[4],
		alphaEnds: values[5], sigmaEnds: values[6], x: slices.Concat(x...), drift: values[7],
	}
	values = values[8:]
	if differentiable != nil {
		at.alphaDot, at.sigmaDot, values = values[0], values[1], values[2:]
	}
	if invertible != nil {
		at.timeOf = values[0]
	}
	return at, nil
}

// direction checks that time runs from data to noise.
func (at *evaluated) direction() error {
	between := func(ends, inner []float64) []float64 { return slices.Concat(ends[:1], inner, ends[1:]) }
	times := between([]float64{0, 1}, times)
	alpha, sigma := between(at.alphaEnds, at.alpha), between(at.sigmaEnds, at.sigma)
	for i, t := range times {
		if !(alpha[i] >= 0 && sigma[i] >= 0 && conformance.Finite(alpha[i]) && conformance.Finite(sigma[i])) {
			return fmt.Errorf("α is %.4g and σ %.4g at t=%v: neither may be negative, infinite or NaN", alpha[i], sigma[i], t)
		}
		// σ/α grows: compared without dividing, as α may end at 0.
		if i > 0 && sigma[i]*alpha[i-1] <= sigma[i-1]*alpha[i] {
			return fmt.Errorf("σ/α goes from %.4g/%.4g at t=%v to %.4g/%.4g at t=%v: it must grow, as time runs from data at t=0 to noise at t=1",
				sigma[i-1], alpha[i-1], times[i-1], sigma[i], alpha[i], t)
		}
	}
	if last := len(times) - 1; sigma[0] > alpha[0]/10 || sigma[last] < alpha[last] {
		return fmt.Errorf("σ/α is %.4g/%.4g at t=0 and %.4g/%.4g at t=1: it must begin below 1/10, with data, and end above 1, with noise",
			sigma[0], alpha[0], sigma[last], alpha[last])
	}
	return nil
}

// processes checks that drift and diffusion are those of α and σ.
func (at *evaluated) processes() error {
	for k, x := range at.x {
		i, j := k/len(times), k%len(times)
		if want := x * at.alphaSlope[i] / at.alpha[i]; !conformance.Near(at.drift[k], want) {
			return fmt.Errorf("Drift of event %d, value %d (x = %.4g, t = %v) is %.6g, expected x·α̇/α = %.6g: the drift must be the rate of α, and t belongs to the lead axes of x",
				i, j, x, times[i], at.drift[k], want)
		}
	}
	for i, t := range times {
		rate := at.alphaSlope[i] / at.alpha[i]
		want := 2*at.sigma[i]*at.sigmaSlope[i] - 2*rate*at.sigma[i]*at.sigma[i]
		if got := at.diffusion[i] * at.diffusion[i]; !conformance.Near(got, want) || at.diffusion[i] < 0 {
			return fmt.Errorf("Diffusion is %.6g at t=%v, expected √(dσ²/dt - 2(α̇/α)σ²) = √%.6g", at.diffusion[i], t, want)
		}
	}
	return nil
}

// derivatives checks what the schedule says of [Differentiable].
func (at *evaluated) derivatives() error {
	for i := range at.alphaDot {
		if !conformance.Near(at.alphaDot[i], at.alphaSlope[i]) {
			return fmt.Errorf("AlphaDot is %.6g at t=%v, where α changes by %.6g", at.alphaDot[i], times[i], at.alphaSlope[i])
		}
		if !conformance.Near(at.sigmaDot[i], at.sigmaSlope[i]) {
			return fmt.Errorf("SigmaDot is %.6g at t=%v, where σ changes by %.6g", at.sigmaDot[i], times[i], at.sigmaSlope[i])
		}
	}
	return nil
}

// inverse checks what the schedule says of [Invertible].
func (at *evaluated) inverse() error {
	for i, got := range at.timeOf {
		if !conformance.Near(got, times[i]) {
			return fmt.Errorf("TimeOf(α, σ) is %.6g for the α and σ of t=%v", got, times[i])
		}
	}
	return nil
}

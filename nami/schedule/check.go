package schedule

import (
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Check reports where s breaks a rule of [Schedule], for the test of one's own: time
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
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
		for _, lead := range [][]int{{}, {4}, {2, 3}} {
			g := NewGraph(backend, "schedule.Check")
			t := Parameter(g, "t", shapes.Make(dtype, lead...))
			x := Parameter(g, "x", shapes.Make(dtype, append(lead, 5)...))
			mustLike("Alpha(t)", s.Alpha(t), "t", t)
			mustLike("Sigma(t)", s.Sigma(t), "t", t)
			mustLike("Diffusion(t)", s.Diffusion(t), "t", t)
			mustLike("Drift(x, t)", s.Drift(x, t), "x", x)
			g.Finalize()
		}
	}
}

func mustLike(what string, got *Node, name string, want *Node) {
	if !got.Shape().Equal(want.Shape()) {
		exceptions.Panicf("%s returned %s for %s of %s: it must have the shape and dtype of %s", what, got.Shape(), name, want.Shape(), name)
	}
}

// checkTimes are where derivatives are compared. There are as many events as values in
// one, so that a t that stands on the event's axis shows.
var checkTimes = []float64{0.1, 0.3, 0.5, 0.7, 0.9}

// checkStep is the step of the central differences.
const checkStep = 1e-4

// evaluated holds a schedule's values at checkTimes, and at 0 and 1.
type evaluated struct {
	alpha, sigma, diffusion    []float64
	alphaSlope, sigmaSlope     []float64 // central differences
	alphaEnds, sigmaEnds       []float64
	x, drift                   [][]float64
	alphaDot, sigmaDot, timeOf []float64 // nil if not implemented
}

func evaluate(backend compute.Backend, s Schedule) (*evaluated, error) {
	at := &evaluated{}
	for i := range checkTimes {
		row := make([]float64, len(checkTimes))
		for j := range row {
			row[j] = math.Cos(float64(i + 2*j)) // of both signs
		}
		at.x = append(at.x, row)
	}
	differentiable, _ := s.(Differentiable)
	invertible, _ := s.(Invertible)
	out, err := CallOnceN(backend, func(t, x, ends *Node) []*Node {
		later, earlier := AddScalar(t, checkStep), AddScalar(t, -checkStep)
		slope := func(f func(*Node) *Node) *Node { return DivScalar(Sub(f(later), f(earlier)), 2*checkStep) }
		nodes := []*Node{
			s.Alpha(t), s.Sigma(t), s.Diffusion(t), slope(s.Alpha), slope(s.Sigma),
			s.Alpha(ends), s.Sigma(ends), s.Drift(x, t),
		}
		if differentiable != nil {
			nodes = append(nodes, differentiable.AlphaDot(t), differentiable.SigmaDot(t))
		}
		if invertible != nil {
			nodes = append(nodes, invertible.TimeOf(s.Alpha(t), s.Sigma(t)))
		}
		return nodes
	}, checkTimes, at.x, []float64{0, 1})
	if err != nil {
		return nil, err
	}
	values := make([][]float64, len(out))
	for i, o := range out {
		values[i] = tensors.MustCopyFlatData[float64](o)
		o.MustFinalizeAll()
	}
	at.alpha, at.sigma, at.diffusion, at.alphaSlope, at.sigmaSlope = values[0], values[1], values[2], values[3], values[4]
	at.alphaEnds, at.sigmaEnds = values[5], values[6]
	for i := range checkTimes {
		at.drift = append(at.drift, values[7][i*len(checkTimes):(i+1)*len(checkTimes)])
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
	times := append(append([]float64{0}, checkTimes...), 1)
	alpha := append(append([]float64{at.alphaEnds[0]}, at.alpha...), at.alphaEnds[1])
	sigma := append(append([]float64{at.sigmaEnds[0]}, at.sigma...), at.sigmaEnds[1])
	for i, t := range times {
		if !(alpha[i] >= 0 && sigma[i] >= 0 && finite(alpha[i]) && finite(sigma[i])) {
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
	for i, t := range checkTimes {
		rate := at.alphaSlope[i] / at.alpha[i]
		for j, x := range at.x[i] {
			if want := rate * x; !near(at.drift[i][j], want) {
				return fmt.Errorf("Drift of event %d, value %d (x = %.4g, t = %v) is %.6g, expected x·α̇/α = %.6g: the drift must be the rate of α, and t belongs to the lead axes of x",
					i, j, x, t, at.drift[i][j], want)
			}
		}
		want := 2*at.sigma[i]*at.sigmaSlope[i] - 2*rate*at.sigma[i]*at.sigma[i]
		if got := at.diffusion[i] * at.diffusion[i]; !near(got, want) || at.diffusion[i] < 0 {
			return fmt.Errorf("Diffusion is %.6g at t=%v, expected √(dσ²/dt - 2(α̇/α)σ²) = √%.6g", at.diffusion[i], t, want)
		}
	}
	return nil
}

// derivatives checks what the schedule says of [Differentiable].
func (at *evaluated) derivatives() error {
	for i := range at.alphaDot {
		if !near(at.alphaDot[i], at.alphaSlope[i]) {
			return fmt.Errorf("AlphaDot is %.6g at t=%v, where α changes by %.6g", at.alphaDot[i], checkTimes[i], at.alphaSlope[i])
		}
		if !near(at.sigmaDot[i], at.sigmaSlope[i]) {
			return fmt.Errorf("SigmaDot is %.6g at t=%v, where σ changes by %.6g", at.sigmaDot[i], checkTimes[i], at.sigmaSlope[i])
		}
	}
	return nil
}

// inverse checks what the schedule says of [Invertible].
func (at *evaluated) inverse() error {
	for i, got := range at.timeOf {
		if !near(got, checkTimes[i]) {
			return fmt.Errorf("TimeOf(α, σ) is %.6g for the α and σ of t=%v", got, checkTimes[i])
		}
	}
	return nil
}

func near(got, want float64) bool { return math.Abs(got-want) <= 1e-4*math.Max(1, math.Abs(want)) }

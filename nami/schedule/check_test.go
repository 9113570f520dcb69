package schedule_test

import (
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// altered is Cosine with some methods replaced.
type altered struct {
	schedule.Cosine
	alpha, sigma, diffusion, alphaDot, sigmaDot func(t *Node) *Node
	drift                                       func(x, t *Node) *Node
	timeOf                                      func(alpha, sigma *Node) *Node
}

func or(f, otherwise func(*Node) *Node, t *Node) *Node {
	if f != nil {
		return f(t)
	}
	return otherwise(t)
}

func (s altered) Alpha(t *Node) *Node     { return or(s.alpha, s.Cosine.Alpha, t) }
func (s altered) Sigma(t *Node) *Node     { return or(s.sigma, s.Cosine.Sigma, t) }
func (s altered) Diffusion(t *Node) *Node { return or(s.diffusion, s.Cosine.Diffusion, t) }
func (s altered) AlphaDot(t *Node) *Node  { return or(s.alphaDot, s.Cosine.AlphaDot, t) }
func (s altered) SigmaDot(t *Node) *Node  { return or(s.sigmaDot, s.Cosine.SigmaDot, t) }

func (s altered) Drift(x, t *Node) *Node {
	if s.drift != nil {
		return s.drift(x, t)
	}
	return s.Cosine.Drift(x, t)
}

func (s altered) TimeOf(alpha, sigma *Node) *Node {
	if s.timeOf != nil {
		return s.timeOf(alpha, sigma)
	}
	return s.Cosine.TimeOf(alpha, sigma)
}

// flipped is a schedule whose time runs the other way.
type flipped struct{ schedule.Schedule }

func (s flipped) Alpha(t *Node) *Node     { return s.Schedule.Alpha(OneMinus(t)) }
func (s flipped) Sigma(t *Node) *Node     { return s.Schedule.Sigma(OneMinus(t)) }
func (s flipped) Drift(x, t *Node) *Node  { return s.Schedule.Drift(x, OneMinus(t)) }
func (s flipped) Diffusion(t *Node) *Node { return s.Schedule.Diffusion(OneMinus(t)) }

// Whatever breaks a rule is found, and told.
func TestCheckRejects(t *testing.T) {
	var c schedule.Cosine
	cases := map[string]schedule.Schedule{
		"it must grow, as time runs from data at t=0 to noise at t=1": flipped{schedule.VP{}},
		"the drift must be the rate of α, and t belongs to the lead":  altered{drift: func(x, t *Node) *Node { return Neg(c.Drift(x, t)) }},
		"Drift of event 0, value 1": altered{drift: func(x, t *Node) *Node { // t on the event's axis
			f := c.Drift(OnesLike(t), t)
			if x.Rank() != 2 || x.Shape().Dimensions[0] != x.Shape().Dimensions[1] {
				return c.Drift(x, t)
			}
			return Mul(x, ExpandLeftToRank(f, 2))
		}},
		"Diffusion is":    altered{diffusion: func(t *Node) *Node { return MulScalar(c.Diffusion(t), 1.01) }},
		"Diffusion is -":  altered{diffusion: func(t *Node) *Node { return Neg(c.Diffusion(t)) }},
		"AlphaDot is":     altered{alphaDot: c.SigmaDot},
		"SigmaDot is":     altered{sigmaDot: c.AlphaDot},
		"TimeOf(α, σ) is": altered{timeOf: func(alpha, sigma *Node) *Node { return c.TimeOf(sigma, alpha) }},
		"neither may be negative, infinite or NaN":             altered{alpha: func(t *Node) *Node { return AddScalar(c.Alpha(t), -1.1) }},
		"it must begin below 1/10, with data":                  altered{sigma: func(t *Node) *Node { return AddScalar(c.Sigma(t), 0.2) }},
		"σ NaN at t=0.1":                                       altered{sigma: func(t *Node) *Node { return Sqrt(AddScalar(Neg(t), 0.05)) }},
		"Alpha(t) returned (Float64) for t of (Float32)":       altered{alpha: func(t *Node) *Node { return ConvertDType(t, dtypes.Float64) }},
		"Sigma(t) returned (Float32) for t of (Float32)[4]":    altered{sigma: func(t *Node) *Node { return ScalarOne(t.Graph(), t.DType()) }},
		"Drift(x, t) returned (Float32) for x of (Float32)[5]": altered{drift: func(_, t *Node) *Node { return t }},
		"BetaMin is 3 and BetaMax 1":                           schedule.VP{BetaMin: 3, BetaMax: 1},
		"the schedule is nil":                                  nil,
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		if err := schedule.Check(backend, altered{}); err != nil {
			t.Fatal(err)
		}
		for want, s := range cases {
			err := schedule.Check(backend, s)
			gomlxtest.Says(t, "schedule.Check", err, want)
		}
	})
}

// A field's conversion is differentiable, as a divergence needs: at t=0 too.
func TestConvertGradient(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		s := schedule.VP{}
		out := eval(t, backend, dtypes.Float64, func(in []*Node) []*Node {
			x, at := in[0], in[1]
			score := MulScalar(x, -2) // that of N(0, 1/2)
			u := schedule.Convert(s, schedule.Score, schedule.Velocity, score, x, at)
			return Gradient(ReduceAllSum(u), x)
		}, []float64{0.3, -1, 2}, []float64{0, 0.4, 1})
		for i, at := range []float64{0, 0.4, 1} { // u = f·x - g²/2·score
			beta := 0.1 + 19.9*at
			compare(t, "du/dx", out[0][i:i+1], []float64{-beta/2 + beta}, 1e-9)
		}
		if math.IsNaN(out[0][0]) {
			t.Error("the gradient at t=0 is NaN")
		}
	})
}

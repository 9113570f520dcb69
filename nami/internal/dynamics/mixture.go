package dynamics

import (
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/run"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Ratios of noise and signal at the ends of time. Below clean there is no noise to speak of:
// 10⁻⁴ of the data's unit, so that data with a spread of a thousandth keep it. Above dirty
// there is no signal to speak of, and a prediction of noise can't tell the data. A schedule
// that has less signal than vanishing is one of pure noise.
const (
	clean     = 1e-4
	dirty     = 1e3
	vanishing = 1e-5
)

// noData is the last time before 0 at which a model is asked whose schedule has noise at 0
// itself: a step to the data goes on from there to no noise at all.
const noData = 1e-7

// Mixture is what a field has learned of x = α·x0 + σ·ε.
type Mixture struct {
	schedule   schedule.Schedule
	field      field.Field
	prediction schedule.Prediction

	// data is the last time before 0 at which the field is asked, and least σ/α there. noise
	// is the last one at which a prediction of noise tells the data; 1 if it does at 1.
	data, least, noise float64

	pure    bool // there is no signal at 1
	noNoise bool // there is no noise at 0

	// Sigma is σ where a solve from the noise begins.
	Sigma float64
}

// NewMixture looks at the ends of a schedule's time, and at σ where a solve begins.
func NewMixture(backend compute.Backend, s schedule.Schedule, f field.Field, p schedule.Prediction, from float64) (*Mixture, error) {
	const between = 64
	times := []float64{0, 1, from}
	for i := range between {
		times = append(times, (float64(i)+0.5)/between)
	}
	var alpha, sigma, ends []float64
	err := gomlx.Try(func() error {
		out, err := CallOnceN(backend, func(in []*Node) []*Node {
			t, ratios := in[0], in[1]
			return []*Node{s.Alpha(t), s.Sigma(t), schedule.TimeOf(s, OnesLike(ratios), ratios)}
		}, times, []float64{clean, dirty})
		if err != nil {
			return err
		}
		alpha, sigma, ends = tensors.MustCopyFlatData[float64](out[0]), tensors.MustCopyFlatData[float64](out[1]), tensors.MustCopyFlatData[float64](out[2])
		gomlx.Finalize(out)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("nami: the schedule %v: %w", s, err)
	}
	for i := range times {
		if !(alpha[i] >= 0 && sigma[i] >= 0) || math.IsInf(alpha[i]+sigma[i], 0) {
			return nil, fmt.Errorf("nami: the schedule %v has α = %v and σ = %v at t = %v: both must be finite and not negative", s, alpha[i], sigma[i], times[i])
		}
	}
	m := &Mixture{
		schedule: s, field: f, prediction: p, data: noData, least: sigma[0] / alpha[0], noise: 1,
		pure: alpha[1] < vanishing*sigma[1], Sigma: sigma[2],
	}
	if m.noNoise = sigma[0] < clean*alpha[0]; m.noNoise {
		m.data, m.least = ends[0], clean
	}
	if m.pure {
		m.noise = ends[1]
	}
	return m, nil
}

// grid is that of a solver that has none, for steps from one noise level to the next. Where
// the noise vanishes at 0, even steps of √t did best of the powers of t that were tried, by
// the distance of samples from two narrow modes and from a Gaussian with a spread of 10⁻³.
// Where it doesn't, the schedule has placed its own levels.
func (m *Mixture) grid() solver.Grid {
	if m.noNoise {
		return solver.Power{P: 2}
	}
	return nil
}

// asked is the time at which the field is asked for t: it is kept from where there is no
// noise, and a prediction of noise from where there is no signal.
func (m *Mixture) asked(t *Node) *Node {
	if m.noNoise {
		t = Max(t, ConstAs(t, m.data))
	}
	if m.prediction == schedule.Eps || m.prediction == schedule.Score {
		t = m.informed(t)
	}
	return t
}

// informed is t, or the last time at which any prediction tells the data.
func (m *Mixture) informed(t *Node) *Node {
	if m.pure {
		t = Min(t, ConstAs(t, m.noise))
	}
	return t
}

// predictions are what the field says at x and t, which is asked once, converted to
// whatever is wanted.
type predictions func(to schedule.Prediction) *Node

func (m *Mixture) at(scope *model.Scope, in run.Inputs[Node], x, t *Node) predictions {
	if in.Mask == nil {
		value := field.Call(m.field, scope, x, t, in.Context)
		return func(to schedule.Prediction) *Node { return schedule.Convert(m.schedule, m.prediction, to, value, x, t) }
	}
	value := field.Call(field.Masked(m.field, in.Mask), scope, x, t, in.Context)
	return func(to schedule.Prediction) *Node { // padding neither moves nor counts in a divergence
		return field.Mask(schedule.Convert(m.schedule, m.prediction, to, value, x, t), in.Mask, m.field.EventRank())
	}
}

// withDivergence is [Mixture.at] with the divergences of what the field says, where it knows
// its own. A conversion is linear in value and point, so it converts the divergences as
// well, with the number of values in place of the divergence of x.
func (m *Mixture) withDivergence(scope *model.Scope, in run.Inputs[Node], x, t, values *Node) (value, divergence predictions) {
	f := m.field
	if in.Mask != nil {
		f = field.Masked(f, in.Mask)
	}
	v, div := field.CallWithDivergence(f.(field.Divergent), scope, x, t, in.Context)
	return func(to schedule.Prediction) *Node {
			converted := schedule.Convert(m.schedule, m.prediction, to, v, x, t)
			if in.Mask != nil { // padding doesn't move
				converted = field.Mask(converted, in.Mask, m.field.EventRank())
			}
			return converted
		},
		func(to schedule.Prediction) *Node {
			return schedule.Convert(m.schedule, m.prediction, to, div, Mul(OnesLike(div), values), t)
		}
}

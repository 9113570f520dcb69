package schedule

import (
	"cmp"
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Preconditioned predicts the data ([X0]) by a network F whose input and whose target have unit
// variance at every noise level (Karras et al. 2022, arXiv:2206.00364, eq. 7 and table 1, EDM):
//
//	D(x, σ) = c_skip·x + c_out·F(c_in·x, c_noise)
//	c_skip = s²/(σ²+s²), c_out = σ·s/√(σ²+s²), c_in = 1/√(σ²+s²), c_noise = ¼·ln σ
//
// where s is DataStd. They have α = 1. With another schedule x/α and σ/α take the places of x
// and σ, so that any schedule may be used; no coefficient divides by α. The network is given
// c_noise in the place of the time: from -1.6 to 1.1 with EDM's schedule.
//
// This is their training, with the law of noise levels that they took for images:
//
//	f := schedule.Preconditioned{Field: network, Schedule: schedule.EDM{}, DataStd: 0.5}
//	l := loss.Denoising{Field: f, Prediction: schedule.X0, Schedule: f.Schedule, Times: loss.Times{
//		Law:    loss.LogNormal{Schedule: f.Schedule, Mean: -1.2, Std: 1.2},
//		Weight: f.Weight,
//	}}
//
// and nami.Diffusion with the same field, prediction and schedule samples.
type Preconditioned struct {
	// Field is the network F.
	Field field.Field

	// Schedule mixes data and noise.
	Schedule Schedule

	// DataStd is the standard deviation of the data's values, in the model's units: positive;
	// 1 if 0, as standardised data have. Karras et al. take 0.5 for images from -1 to 1.
	DataStd float64
}

// Validate reports parts that are missing or out of range.
func (f Preconditioned) Validate() error {
	if !(f.DataStd >= 0) || math.IsInf(f.DataStd, 0) {
		return fmt.Errorf("schedule.Preconditioned: DataStd is %v: it must be positive and finite, or 0 for 1", f.DataStd)
	}
	return cmp.Or(field.Validate(f.Field), Validate(f.Schedule))
}

// WithDefaults returns the field with the usual deviation where none is given.
func (f Preconditioned) WithDefaults() Preconditioned {
	if f.DataStd == 0 {
		f.DataStd = 1
	}
	return f
}

// EventRank implements [field.Field].
func (f Preconditioned) EventRank() int {
	must(f.Validate())
	return f.Field.EventRank()
}

// Apply implements [field.Field].
func (f Preconditioned) Apply(scope *model.Scope, x, t, c *Node) *Node {
	skip, out, norm, noise := f.coefficients(t)
	lifted := func(c *Node) *Node { return shape.Lift(c, x) }
	value := field.Call(f.Field, scope, Div(x, lifted(norm)), noise, c)
	return Add(Mul(lifted(skip), x), Mul(lifted(out), value))
}

// ApplyWithDivergence implements [field.Divergent], if Field does: see [field.KnowsDivergence].
func (f Preconditioned) ApplyWithDivergence(scope *model.Scope, x, t, c *Node) (value, divergence *Node) {
	skip, out, norm, noise := f.coefficients(t)
	lifted := func(c *Node) *Node { return shape.Lift(c, x) }
	known, ok := f.Field.(field.Divergent)
	if !ok {
		panic(fmt.Errorf("schedule.Preconditioned: the field %T doesn't know its divergence: ask field.KnowsDivergence first", f.Field))
	}
	value, divergence = field.CallWithDivergence(known, scope, Div(x, lifted(norm)), noise, c)
	values := float64(shape.Size(x.Shape().Dimensions[x.Rank()-f.EventRank():]))
	return Add(Mul(lifted(skip), x), Mul(lifted(out), value)), Add(MulScalar(skip, values), Mul(Div(out, norm), divergence))
}

// coefficients are c_skip, c_out, 1/c_in and c_noise at t, shaped like t.
func (f Preconditioned) coefficients(t *Node) (skip, out, norm, noise *Node) {
	alpha, sigma, norm := f.levels(t)
	s := f.WithDefaults().DataStd
	skip, out = MulScalar(Div(alpha, Square(norm)), s*s), MulScalar(Div(sigma, norm), s)
	return skip, out, norm, MulScalar(Sub(Log(sigma), Log(alpha)), 0.25)
}

// Weight is 1/c_out² = (σ²+s²)/(σ·s)² at t, shaped like t: the factor by which their loss at that
// noise level is multiplied (table 1, loss weighting λ). With it the squared error of the
// network F counts alike at all levels, and is 1 for each of the data's values at the start of
// training, where the network is about 0 and the data have the deviation DataStd.
func (f Preconditioned) Weight(t *Node) *Node {
	_, sigma, norm := f.levels(t)
	return Square(Div(norm, MulScalar(sigma, f.WithDefaults().DataStd)))
}

// levels are α and σ at t, neither of them 0, and √(σ²+α²s²), shaped like t.
func (f Preconditioned) levels(t *Node) (alpha, sigma, norm *Node) {
	must(f.Validate())
	alpha, sigma = gomlx.AwayFromZero(f.Schedule.Alpha(t)), gomlx.AwayFromZero(f.Schedule.Sigma(t))
	return alpha, sigma, Sqrt(Add(Square(sigma), Square(MulScalar(alpha, f.WithDefaults().DataStd))))
}

// Map implements [field.Wrapper].
func (f Preconditioned) Map(inner func(field.Field) field.Field) field.Field {
	f.Field = inner(f.Field)
	return f
}

// String describes the field on one line.
func (f Preconditioned) String() string {
	f = f.WithDefaults()
	return fmt.Sprintf("Preconditioned{%v, %v, data std %g}", f.Field, f.Schedule, f.DataStd)
}

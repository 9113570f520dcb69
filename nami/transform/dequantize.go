package transform

import (
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Dequantize gives counts and grey values a density: y = x/Step + u, with u uniform between 0
// and 1, and back x = Step·floor(y); without noise, as for contexts, u is ½. Without it a model of a density could put a spike of any
// height on each number.
//
// logDet is 0, as the probability of x is the integral of y's density over a cell of volume 1.
// The log-density that comes out, averaged over u, is a lower bound of the logarithm of that
// probability (Theis, van den Oord & Bethge 2016, arXiv:1511.01844; Ho et al. 2019,
// arXiv:1902.00275).
//
// Grey values from 0 to 255, or as fractions of 255, that shall stay in that range:
//
//	transform.Chain{transform.Dequantize{}, transform.Logit{Low: 0, High: 256}}
//	transform.Chain{transform.Dequantize{Step: 1. / 255}, transform.Logit{Low: 0, High: 256}}
type Dequantize struct {
	// Step is the distance of two neighbouring values of x, which are multiples of it. 0 is 1.
	Step float64
}

var _ Domain = Dequantize{}

// Forward implements [Transform]. It rounds x/Step to an integer.
func (d Dequantize) Forward(random distribution.Random, x *Node) (y, logDet *Node) {
	must(d.validate())
	cell := StopGradient(Round(Div(x, ConstAs(x, d.step()))))
	u := MulScalar(OnesLike(x), 0.5)
	if random != nil {
		u = random.RandomUniform(x.Graph(), x.Shape())
	}
	// In Float32 cell+u may round to the next integer, or to cell, at which a logarithm that
	// follows may be infinite.
	next := Add(cell, ConstAs(x, 1))
	margin := func(at *Node) *Node {
		return Mul(Max(magnitude(at), ConstAs(x, 1)), ConstAs(x, gomlx.Epsilon(x.DType())))
	}
	y = Min(Max(Add(cell, u), Add(cell, margin(cell))), Sub(next, margin(next)))
	return y, ZerosLike(x)
}

// ends are the least and the largest number, in Float32, that Forward makes of x.
func (d Dequantize) ends(x float64) (low, high float64) {
	cell := math.Round(x / d.step())
	margin := func(at float64) float64 { return max(math.Abs(at), 1) * gomlx.Epsilon(dtypes.Float32) }
	return cell + margin(cell), cell + 1 - margin(cell+1)
}

// Inverse implements [Transform].
func (d Dequantize) Inverse(y *Node) (x, logDet *Node) {
	must(d.validate())
	return Mul(StopGradient(Floor(y)), ConstAs(y, d.step())), ZerosLike(y)
}

// ModelShape implements [Transform].
func (d Dequantize) ModelShape(event []int) ([]int, error) { return same(event), d.validate() }

// most is how many steps from 0 a value may be: beyond, Float32 has few numbers between one step
// and the next.
const most = 1 << 20

// Admit implements [Domain]: x must be a multiple of Step, up to a thousandth of a step and the
// rounding of Float32, and at most 2²⁰ steps from 0.
func (d Dequantize) Admit(x float64) error {
	cell := x / d.step()
	if math.Abs(cell) > most {
		return fmt.Errorf("transform.Dequantize expects at most %d steps of %g: larger numbers need no noise", most, d.step())
	}
	if math.Abs(cell-math.Round(cell)) > 1e-3+0x1p-23*math.Abs(cell) {
		return fmt.Errorf("transform.Dequantize expects multiples of %g", d.step())
	}
	return nil
}

// WithDefaults returns the transform with the step 1 where it is 0.
func (d Dequantize) WithDefaults() Dequantize { return Dequantize{Step: d.step()} }

func (d Dequantize) step() float64 {
	if d.Step == 0 {
		return 1
	}
	return d.Step
}

func (d Dequantize) validate() error {
	if !(d.step() > 0) || math.IsInf(d.Step, 0) {
		return fmt.Errorf("transform.Dequantize: Step is %v: it must be positive and finite, or 0 for 1", d.Step)
	}
	return nil
}

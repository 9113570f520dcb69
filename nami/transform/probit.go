package transform

import (
	"math"

	"github.com/nami-flow/go-nami/nami/distribution"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Probit opens the interval from Low to High to all numbers by the quantiles of the normal
// distribution: y = Φ⁻¹((x-Low)/(High-Low)). What is uniform in the interval becomes exactly normal,
// so that a flow from normal noise has nothing to learn about a parameter of which only bounds are
// known, nor in its tails: for inference it suits better than [Logit], whose tails are heavier. If
// both are 0, the interval is that from 0 to 1.
//
// The edges belong to the interval: what is closer to one than a millionth of the width counts as a
// millionth away, so that y is between ±4.75 there. Outside, Forward is NaN. Inverse never leaves
// the interval.
type Probit struct {
	Low, High float64
}

var _ Domain = Probit{}

// Forward implements [Transform].
func (p Probit) Forward(_ distribution.Random, x *Node) (y, logDet *Node) {
	must(p.validate())
	low, high := p.interval()
	above, below, outside := between(x, low, high)
	y = Where(outside, everywhere(x, ConstAs(x, math.NaN())), quantile(above, below))
	return y, p.logDet(y)
}

// Inverse implements [Transform].
func (p Probit) Inverse(y *Node) (x, logDet *Node) {
	must(p.validate())
	low, high := p.interval()
	share := MulScalar(OnePlus(Erf(MulScalar(y, 1/math.Sqrt2))), 0.5)
	x = Add(ConstAs(y, low), Mul(ConstAs(y, high-low), share))
	return Min(x, ConstAs(y, high)), p.logDet(y)
}

// logDet is that of 1/(φ(y)·(High-Low)).
func (p Probit) logDet(y *Node) *Node {
	low, high := p.interval()
	return AddScalar(MulScalar(Square(y), 0.5), math.Log(2*math.Pi)/2-math.Log(high-low))
}

// ModelShape implements [Transform].
func (p Probit) ModelShape(event []int) ([]int, error) { return same(event), p.validate() }

// Admit implements [Domain].
func (p Probit) Admit(x float64) error {
	low, high := p.interval()
	return admitBetween("transform.Probit", low, high, x)
}

// WithDefaults returns the transform with the interval from 0 to 1 where it has none.
func (p Probit) WithDefaults() Probit {
	p.Low, p.High = p.interval()
	return p
}

func (p Probit) interval() (low, high float64) { return orUnit(p.Low, p.High) }

func (p Probit) validate() error {
	low, high := p.interval()
	return checkBetween("transform.Probit", low, high)
}

// Coefficients of Giles's polynomials (2012, GPU Computing Gems, chapter 10) for the inverse of the
// error function, from the highest power down, good to single precision.
var (
	centralErfinv = []float64{2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164, 0.246640727, 1.50140941}
	tailErfinv    = []float64{-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047, 1.00167406, 2.83297682}
)

// quantile is Φ⁻¹(u) for u and 1-u, both positive. A step of Newton's makes it right in double
// precision, too.
func quantile(u, rest *Node) *Node {
	polynomial := func(w *Node, c []float64) *Node {
		sum := everywhere(w, ConstAs(w, c[0]))
		for _, next := range c[1:] {
			sum = Add(Mul(sum, w), ConstAs(w, next))
		}
		return sum
	}
	w := Neg(Log(MulScalar(Mul(u, rest), 4)))
	five := ConstAs(w, 5) // where the one follows the other; neither is asked beyond, for the gradient
	central := polynomial(AddScalar(Min(w, five), -2.5), centralErfinv)
	tail := polynomial(AddScalar(Sqrt(Max(w, five)), -3), tailErfinv)
	z := MulScalar(Mul(Sub(u, rest), Where(LessThan(w, five), central, tail)), math.Sqrt2)
	if u.DType() == dtypes.Float64 {
		for range 2 {
			density := MulScalar(Exp(MulScalar(Square(z), -0.5)), 1/math.Sqrt(2*math.Pi))
			share := MulScalar(Erf(MulScalar(z, 1/math.Sqrt2)), 0.5) // Φ(z) - ½
			z = Sub(z, Div(Sub(share, MulScalar(Sub(u, rest), 0.5)), density))
		}
	}
	return z
}

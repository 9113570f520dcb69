package transform

import (
	"math"

	"github.com/nami-flow/go-nami/nami/distribution"

	. "github.com/gomlx/gomlx/core/graph"
)

// Logit opens the interval from Low to High to all numbers: y = log(z/(1-z)), with
// z = (x-Low)/(High-Low). Fractions, efficiencies, grey values and parameters with bounds
// need it. If both are 0, the interval is that from 0 to 1.
//
// The edges belong to the interval: where z is closer to 0 or 1 than a millionth, it counts
// as a millionth away, so that y is between ±13.8 there. Outside, Forward is NaN. Inverse
// never leaves the interval.
type Logit struct {
	Low, High float64
}

var _ Domain = Logit{}

// Forward implements [Transform].
func (l Logit) Forward(_ distribution.Random, x *Node) (y, logDet *Node) {
	must(l.validate())
	low, high := l.interval()
	above, below, outside := between(x, low, high)
	y = Where(outside, everywhere(x, ConstAs(x, math.NaN())), Sub(Log(above), Log(below)))
	return y, l.logDet(y)
}

// Inverse implements [Transform].
func (l Logit) Inverse(y *Node) (x, logDet *Node) {
	must(l.validate())
	low, high := l.interval()
	x = Add(ConstAs(y, low), Mul(ConstAs(y, high-low), Sigmoid(y)))
	return Min(x, ConstAs(y, high)), l.logDet(y)
}

// logDet is -log(z(1-z)) - log(High-Low), written with y.
func (l Logit) logDet(y *Node) *Node {
	low, high := l.interval()
	size := magnitude(y)
	return Sub(Add(size, Mul(ConstAs(y, 2), Log1P(Exp(Neg(size))))), ConstAs(y, math.Log(high-low)))
}

// ModelShape implements [Transform].
func (l Logit) ModelShape(event []int) ([]int, error) { return same(event), l.validate() }

// Admit implements [Domain].
func (l Logit) Admit(x float64) error {
	low, high := l.interval()
	return admitBetween("transform.Logit", low, high, x)
}

// WithDefaults returns the transform with the interval from 0 to 1 where it has none.
func (l Logit) WithDefaults() Logit {
	l.Low, l.High = l.interval()
	return l
}

func (l Logit) interval() (low, high float64) { return orUnit(l.Low, l.High) }

func (l Logit) validate() error {
	low, high := l.interval()
	return checkBetween("transform.Logit", low, high)
}

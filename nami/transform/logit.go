package transform

import (
	"fmt"
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

// margin is how close to the edges z may come.
const margin = 1e-6

// Forward implements [Transform].
func (l Logit) Forward(_ distribution.Random, x *Node) (y, logDet *Node) {
	must(l.validate())
	low, high := l.interval()
	width, least := ConstAs(x, high-low), ConstAs(x, margin)
	above := Div(Sub(x, ConstAs(x, low)), width)
	below := Div(Sub(ConstAs(x, high), x), width) // exact close to High, unlike 1-above
	inside := Sub(Log(Max(above, least)), Log(Max(below, least)))
	outside := LogicalOr(LessThan(above, ConstAs(x, 0)), LessThan(below, ConstAs(x, 0)))
	y = Where(outside, everywhere(x, ConstAs(x, math.NaN())), inside)
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
	if low, high := l.interval(); !(x >= low && x <= high) {
		return fmt.Errorf("transform.Logit expects values from %g to %g", low, high)
	}
	return nil
}

// WithDefaults returns the transform with the interval from 0 to 1 where it has none.
func (l Logit) WithDefaults() Logit {
	l.Low, l.High = l.interval()
	return l
}

func (l Logit) interval() (low, high float64) {
	if l.Low == 0 && l.High == 0 {
		return 0, 1
	}
	return l.Low, l.High
}

func (l Logit) validate() error {
	if low, high := l.interval(); !(low < high) || math.IsInf(high-low, 0) {
		return fmt.Errorf("transform.Logit: Low is %v and High %v: Low must be below High, and both finite", low, high)
	}
	return nil
}

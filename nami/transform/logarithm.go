package transform

import (
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/distribution"

	. "github.com/gomlx/gomlx/core/graph"
)

// Logarithm is y = log(x + Shift), for values above -Shift: energies, rates, masses. Elsewhere
// Forward is NaN, or -Inf at -Shift itself.
type Logarithm struct {
	// Shift is added first. The zero value adds nothing.
	Shift float64
}

var _ Domain = Logarithm{}

// Forward implements [Transform].
func (l Logarithm) Forward(_ distribution.Random, x *Node) (y, logDet *Node) {
	must(l.validate())
	y = Log(Add(x, ConstAs(x, l.Shift)))
	return y, Neg(y)
}

// Inverse implements [Transform].
func (l Logarithm) Inverse(y *Node) (x, logDet *Node) {
	must(l.validate())
	return Sub(Exp(y), ConstAs(y, l.Shift)), Neg(y)
}

// ModelShape implements [Transform].
func (l Logarithm) ModelShape(event []int) ([]int, error) { return same(event), l.validate() }

// Admit implements [Domain].
func (l Logarithm) Admit(x float64) error {
	if !(x+l.Shift > 0) {
		return fmt.Errorf("transform.Logarithm expects values above %g", 0-l.Shift)
	}
	return nil
}

func (l Logarithm) validate() error {
	if math.IsNaN(l.Shift) || math.IsInf(l.Shift, 0) {
		return fmt.Errorf("transform.Logarithm: Shift is %v: it must be finite", l.Shift)
	}
	return nil
}

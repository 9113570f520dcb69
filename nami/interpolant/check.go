package interpolant

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/internal/conformance"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// Check reports where g breaks a rule of [Gamma], for a test of your own type: γ vanishes at
// both ends, or nearly, and isn't negative; the product is γ·dγ/dt, compared with a central
// difference in float64 to 1e-4, and finite at the ends; both have the shape and dtype of t.
func Check(backend compute.Backend, g Gamma) error {
	if err := Validate(g); err != nil {
		return err
	}
	err := gomlx.Try(func() error {
		conformance.Shapes(backend, func(_, t *Node) {
			conformance.Like("Gamma(t)", g.Gamma(t), "t", t)
			conformance.Like("GammaGammaDot(t)", g.GammaGammaDot(t), "t", t)
		})
		return checkNumbers(backend, g)
	})
	if err != nil {
		return fmt.Errorf("interpolant.Check: %T: %w", g, err)
	}
	return nil
}

func checkNumbers(backend compute.Backend, g Gamma) error {
	times := conformance.Times
	values, err := conformance.Eval(backend, func(in []*Node) []*Node {
		t, ends := in[0], in[1]
		half := func(t *Node) *Node { return MulScalar(Square(g.Gamma(t)), 0.5) }
		return []*Node{g.Gamma(t), g.GammaGammaDot(t), conformance.Slope(half, t), g.Gamma(ends), g.GammaGammaDot(ends)}
	}, times, []float64{0, 1})
	if err != nil {
		return err
	}
	gamma, product, slope, ends, endProducts := values[0], values[1], values[2], values[3], values[4]
	largest := 0.0
	for i, t := range times {
		if !(gamma[i] >= 0 && conformance.Finite(gamma[i])) {
			return fmt.Errorf("γ is %.4g at t=%v: it may not be negative, infinite or NaN", gamma[i], t)
		}
		if !conformance.Near(product[i], slope[i]) {
			return fmt.Errorf("GammaGammaDot is %.6g at t=%v, where γ²/2 changes by %.6g: it must be γ·dγ/dt", product[i], t, slope[i])
		}
		largest = max(largest, gamma[i])
	}
	for i := range ends {
		if !(ends[i] >= 0 && ends[i] <= largest/100) {
			return fmt.Errorf("γ is %.4g at t=%d, and %.4g between the ends: it must vanish at both ends, where there is data and source alone", ends[i], i, largest)
		}
		if !conformance.Finite(endProducts[i]) {
			return fmt.Errorf("GammaGammaDot is %v at t=%d: it must be finite", endProducts[i], i)
		}
	}
	return nil
}

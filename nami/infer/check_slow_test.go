//go:build slow

package infer_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/nami-flow/go-nami/nami/infer"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
)

// A check finds nothing wrong with a posterior that is right, and says what is wrong with one that
// isn't: that of a simulator with less noise than the world has, that of another prior, an
// observation that no simulation comes near.
func TestCheck(t *testing.T) {
	p := fitted(t, gomlxtest.XLA(t)) // minutes in pure Go
	fresh := func(seed uint64, simulator func(theta []float64, random *rand.Rand) []float64) *infer.Simulations {
		s, err := infer.Simulate(t.Context(), conjugate, infer.Each(simulator), 500, infer.Seed(seed))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	check := func(observed []float64, s *infer.Simulations) *infer.Report {
		r, err := p.Check(t.Context(), observed, s)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := check([]float64{6}, nil); !r.Trusted() || r.Tests != 500 || r.Leakage != 0 {
		t.Errorf("of a posterior that is right:\n%v", r)
	}
	noisier := func(theta []float64, random *rand.Rand) []float64 {
		return []float64{theta[0] + 2*random.NormFloat64()}
	}
	gomlxtest.Says(t, "more noise than was simulated", errors.New(check(nil, fresh(7, noisier)).String()), "wrong: the parameter shift: ")
	gomlxtest.Says(t, "more noise than was simulated", errors.New(check(nil, fresh(7, noisier)).String()), "too narrow")
	moved := func(theta []float64, random *rand.Rand) []float64 {
		return []float64{theta[0] + 0.7 + random.NormFloat64()}
	}
	gomlxtest.Says(t, "an offset that wasn't simulated", errors.New(check(nil, fresh(8, moved)).String()), "wrong: the parameter shift: ")
	r := check([]float64{60}, nil)
	gomlxtest.Says(t, "an observation far away", errors.New(r.String()), "wrong: the observation is unlike what was simulated")
	if r.Trusted() {
		t.Error("an observation far away is trusted")
	}
}

package interpolant_test

import (
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/interpolant"

	. "github.com/gomlx/gomlx/core/graph"
)

// Sine is a gamma of your own, γ = sin(πt), whose derivative is finite at the ends.
type Sine struct{}

func (Sine) Gamma(t *Node) *Node { return Sin(MulScalar(Min(t, OneMinus(t)), math.Pi)) }

func (Sine) GammaGammaDot(t *Node) *Node { return MulScalar(Sin(MulScalar(t, 2*math.Pi)), math.Pi/2) }

// A gamma of your own needs two methods. Check tells in a test whether they agree.
func ExampleCheck() {
	backend, err := nami.OpenBackend("go")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(interpolant.Check(backend, Sine{}))
	// Output: <nil>
}

package distribution_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

func TestOursPass(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for i, d := range all(t) {
			if backends.Few(backend) && !backends.Runs(i) {
				continue // each compiles anew
			}
			if err := distribution.Check(backend, d); err != nil {
				t.Error(err)
			}
		}
	})
}

// exponential has the density e^-x of each value of an event of two; it is a user's own
// distribution.
type exponential struct{}

func (exponential) EventShape() []int { return []int{2} }

func (exponential) Sample(random distribution.Random, g *Graph, dtype dtypes.DType, lead ...int) *Node {
	u := random.RandomUniform(g, shapes.Make(dtype, append(slices.Clone(lead), 2)...))
	return Neg(Log(OneMinus(u)))
}

func (exponential) LogProb(x *Node) *Node {
	if x.Rank() == 0 || x.Shape().Dim(-1) != 2 {
		panic(fmt.Errorf("x is %s: expected events of shape (2)", x.Shape()))
	}
	return exponential{}.density(x)
}

func ExampleCheck() {
	backend, err := gomlx.Open("go") // nami.OpenBackend in your own test
	if err != nil {
		panic(err)
	}
	fmt.Println(distribution.Check(backend, exponential{}))
	// Output: <nil>
}

// Exponentials that break a rule each.
type (
	transposed struct{ exponential } // asks for numbers with the event's axis first
	lax        struct{ exponential } // takes any event
	mixing     struct{ exponential } // compares with the mean of the batch
	kept       struct{ exponential } // returns an axis too many
	infinite   struct{ exponential }
	unequal    struct{ exponential } // of whose values the densities don't add up
	steeper    struct{ exponential } // claims the density of another rate
	unnormed   struct{ exponential } // forgets the density's norm
	reaching   struct{ exponential } // claims a density where no samples fall
)

func (steeper) LogProb(x *Node) *Node {
	return AddScalar(MulScalar(exponential{}.LogProb(x), 1.15), 2*math.Log(1.15))
}
func (unnormed) LogProb(x *Node) *Node { return AddScalar(exponential{}.LogProb(x), 0.2) }
func (reaching) LogProb(x *Node) *Node {
	exponential{}.LogProb(x) // refuses other shapes
	return AddScalar(Neg(ReduceSum(Abs(x), -1)), -2*math.Log(2))
}

// LogProb is -∞ below 0.
func (exponential) density(x *Node) *Node {
	return Where(ReduceLogicalAnd(GreaterOrEqual(x, ConstAs(x, 0)), -1), Neg(ReduceSum(x, -1)), ConstAs(ReduceSum(x, -1), math.Inf(-1)))
}

func (transposed) Sample(random distribution.Random, g *Graph, dtype dtypes.DType, lead ...int) *Node {
	u := random.RandomUniform(g, shapes.Make(dtype, append([]int{2}, lead...)...))
	axes := []int{}
	for axis := range lead {
		axes = append(axes, axis+1)
	}
	return Neg(Log(OneMinus(TransposeAllAxes(u, append(axes, 0)...))))
}
func (lax) LogProb(x *Node) *Node    { return Neg(ReduceSum(x, -1)) }
func (mixing) LogProb(x *Node) *Node { return Sub(exponential{}.LogProb(x), ReduceAllMean(x)) }
func (kept) LogProb(x *Node) *Node   { return Neg(x) }
func (infinite) LogProb(x *Node) *Node {
	return Log(Mul(exponential{}.LogProb(x), ScalarZero(x.Graph(), x.DType())))
}

func (unequal) LogProbValues(x *Node) *Node {
	return MulScalar(x, -2)
}

func TestCheckFindsBrokenDistributions(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for want, d := range map[string]distribution.Distribution{
			"the distribution is nil":                        nil,
			"must have the lead's axes first":                transposed{},
			"LogProb accepted x of shape (4, 1)":             lax{},
			"it must depend on that event only":              mixing{},
			"returned (Float32)[2]: it must have the shape ": kept{},
			"it must be finite where samples fall":           infinite{},
			"LogProbValues add up to":                        unequal{},
			"for the shift h":                                steeper{},
			"is p normalised":                                unnormed{},
			"P(p(x-h) > 0)":                                  reaching{},
		} {
			err := distribution.Check(backend, d)
			gomlxtest.Says(t, fmt.Sprintf("%T", d), err, want)
		}
	})
}

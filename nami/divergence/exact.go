package divergence

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
)

// defaultMaxSize is where Exact begins to cost more than an estimate is worth.
const defaultMaxSize = 64

// Exact is the trace itself, for events of any shape. Log-densities ask the field for it, if it
// knows its divergence (field.KnowsDivergence), as MLPs and residual networks do, which carry
// tangents forward. Of other fields, and of the function that Estimate is given, it takes one
// vector–Jacobian product for each value of an event. Either way it costs the more the larger an
// event is, so there is a limit; [Hutchinson] has none.
type Exact struct {
	// MaxSize is the largest number of values in an event; 64 if 0.
	MaxSize int
}

var _ Estimator = Exact{}

// Check implements [Estimator]: the event may have MaxSize values.
func (e Exact) Check(eventShape []int) error {
	limit := e.MaxSize
	if limit == 0 {
		limit = defaultMaxSize
	}
	if size := shape.Size(eventShape); size > limit {
		return fmt.Errorf("divergence.Exact: an event of shape %s has %d values, more than MaxSize %d: each costs a derivative at every evaluation; use divergence.Hutchinson{}, or raise MaxSize",
			shape.Format(eventShape), size, limit)
	}
	return nil
}

// Estimate implements [Estimator]. It panics if the event is larger than MaxSize.
func (e Exact) Estimate(f func(x *Node) *Node, x *Node, rank int, _ *Node) (value, divergence *Node) {
	lead, event, err := shape.Split(x.Shape().Dimensions, rank)
	if err == nil {
		err = e.Check(event)
	}
	if err != nil {
		panic(err)
	}
	value = apply(f, x)
	v, g, size := rows(value, rank), x.Graph(), shape.Size(event)
	for i := range size {
		unit := make([]float64, size)
		unit[i] = 1
		axis := ConstAsDType(g, x.DType(), unit)
		diagonal := Einsum("nd,d->n", rows(vjp(v, axis, x), rank), axis)
		if divergence == nil {
			divergence = diagonal
		} else {
			divergence = Add(divergence, diagonal)
		}
	}
	return value, Reshape(divergence, lead...)
}

// String describes the estimator on one line.
func (e Exact) String() string { return "Exact" }

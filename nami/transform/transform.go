// Package transform holds invertible maps between the units of data and those in which a
// model learns: standardised, logarithmic, on a circle, with their log-determinants.
//
// A density p of y = f(x) is the density p(f(x))·|∂y/∂x| of x. So if a model gives the
// log-density of y, that of x is the model's plus the log-determinant that Forward returns.
//
//	units := transform.Columns{
//		{Of: []int{0}, By: transform.Chain{transform.Logarithm{}, transform.Standardize{}}},
//		{Of: []int{1}, By: transform.Circle{}},
//	}
//	fitted, err := transform.Fit(backend, units, transform.Data{X: x})
//
// Parameters are fields of plain structs, so that a model's file can describe them.
package transform

import (
	"github.com/nami-flow/go-nami/nami/distribution"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Transform is an invertible map from an event in the data's units to one in the model's.
// Each row of the event's last axis must be mapped on its own, so that the padded objects of
// an event can be left out. A user's own type is a Transform as soon as it has these three
// methods; check it with [Check].
type Transform interface {
	// Forward maps x, lead+event, to y, lead+event', where event' is what ModelShape makes
	// of event. logDet is log|∂y/∂x| in shares: it is shaped like x, and its sum over the
	// last axis is the logarithm for those values together, so that the sum over an event is
	// the event's. The shares of padded objects are left out. A transform that adds noise, as
	// [Dequantize] and [Circle] do, draws it from random; what is asked of random has the
	// lead's axes first. A nil random asks for a typical y without noise, which is what a
	// context gets.
	Forward(random distribution.Random, x *Node) (y, logDet *Node)

	// Inverse maps y, lead+event', back to x, lead+event. logDet is that of Forward at the x
	// that it returns, with the noise that y implies.
	Inverse(y *Node) (x, logDet *Node)

	// ModelShape is the shape of an event in the model's units if event is its shape in the
	// data's. Only the last axis may differ. It is an error if the transform doesn't fit such
	// an event, or has parameters that are missing or out of range.
	ModelShape(event []int) ([]int, error)
}

// Domain is a transform that isn't defined for all numbers.
type Domain interface {
	Transform

	// Admit is an error if Forward isn't defined at x, a finite value of an event. The error
	// goes on after "the value is …: ", and says what is expected.
	Admit(x float64) error
}

// Fitter is a transform whose parameters come from data.
type Fitter interface {
	Transform

	// Fit returns the transform with the parameters that fit the data. Parameters that were
	// given stay as they are.
	Fit(d Data) (Transform, error)
}

// constant is a vector as a node that broadcasts over the last axes of x: its dims are those
// of the axes.
func constant(x *Node, values []float64, dims []int) *Node {
	all := make([]int, x.Rank())
	for i := range all {
		all[i] = 1
	}
	copy(all[len(all)-len(dims):], dims)
	return Reshape(ConstAsDType(x.Graph(), x.DType(), values), all...)
}

// everywhere is a node of x's shape that holds v, a scalar or of size 1 where it repeats.
func everywhere(x, v *Node) *Node { return Add(ZerosLike(x), v) }

// lastAxis is the size of the last axis of x. It panics if x is a scalar.
func lastAxis(who string, x *Node) int {
	if x.IsScalar() {
		exceptions.Panicf("transform.%s: x is %s: expected an event with a last axis of columns", who, x.Shape())
	}
	return x.Shape().Dim(-1)
}

// withLast is the shape dims with another size of the last axis.
func withLast(dims []int, size int) []int {
	out := append([]int{}, dims...)
	out[len(out)-1] = size
	return out
}

// fold gives the shares of a log-determinant the shape of x, where an earlier step changed
// the number of columns: each value gets the mean of what its row has.
func fold(logDet, x *Node) *Node {
	if logDet.Shape().Equal(x.Shape()) {
		return logDet
	}
	perRow := DivScalar(ReduceAndKeep(logDet, ReduceSum, -1), float64(x.Shape().Dim(-1)))
	return everywhere(x, perRow)
}

// must panics with an error.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// same is the ModelShape of what maps each value to one.
func same(event []int) []int { return append([]int{}, event...) }

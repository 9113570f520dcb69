package field_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"
)

func TestOurFieldsPass(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, c := range []struct {
			f       field.Field
			shape   []int
			context int
		}{
			{field.MLP{EventShape: []int{2}, Hidden: []int{8}, ContextDim: 3, TimeFeatures: 4}, []int{2}, 3},
			{field.MLP{Hidden: []int{8}}, nil, 0},
			{field.Scoped{Scope: "velocity", Field: field.MLP{EventShape: []int{2, 3}, Hidden: []int{4}}}, []int{2, 3}, 0},
		} {
			if err := field.Check(backend, c.f, c.shape, c.context); err != nil {
				t.Error(err)
			}
		}
	})
}

// A slice has a derivative, but no second one.
func TestCheckTellsSecondDerivatives(t *testing.T) {
	swapped := field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node {
		last := x.Rank() - 1
		part := func(from, to int) *Node { return Square(SliceAxis(x, last, AxisRange(from, to))) }
		return Concatenate([]*Node{part(1, 2), part(0, 1)}, -1)
	}}
	if err := field.Check(gomlxtest.Go(t), swapped, []int{2}, 0); !errors.Is(err, field.ErrNoSecondDerivative) {
		t.Errorf("got %v, expected %v", err, field.ErrNoSecondDerivative)
	}
}

// Each rule is broken by a field that keeps the others.
func TestCheckFindsBrokenFields(t *testing.T) {
	vector := func(f func(scope *model.Scope, x, t, c *Node) *Node) field.Field { return field.Func{Rank: 1, F: f} }
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for want, c := range map[string]struct {
			f       field.Field
			context int
		}{
			"the field is nil": {nil, 0},
			"EventRank is 2, and the events have shape (2)": {field.Func{Rank: 2, F: func(_ *model.Scope, x, _, _ *Node) *Node { return x }}, 0},
			"contextDim is -1": {vector(func(_ *model.Scope, x, _, _ *Node) *Node { return x }), -1},
			"returned (Float32)[2, 3] for x of (Float32)[2, 3, 2]": {vector(func(_ *model.Scope, x, _, _ *Node) *Node {
				if x.Rank() == 3 {
					return ReduceSum(x, -1)
				}
				return x
			}), 0},
			"a field's value must have the shape and dtype of x": {vector(func(_ *model.Scope, x, _, _ *Node) *Node {
				return ReduceAndKeep(x, ReduceSum, -1)
			}), 0},
			"for x with the lead () and t of shape ()": {vector(func(_ *model.Scope, x, _, _ *Node) *Node {
				return Mul(x, Reshape(ReduceSum(x, 1), -1, 1)) // wants a batch
			}), 0},
			"value 0 of event 0 is": {vector(func(_ *model.Scope, x, _, _ *Node) *Node { // mixes the batch
				return Sub(x, ReduceAllMean(x))
			}), 0},
			"or take one time for all": {vector(func(_ *model.Scope, x, t, _ *Node) *Node { // one time for all
				return Mul(x, AddScalar(ReduceAllMean(t), 1))
			}), 0},
			"for a scalar t of 0.3": {vector(func(_ *model.Scope, x, t, _ *Node) *Node { // half a time when it is a scalar
				if t.IsScalar() && x.Rank() > 1 {
					t = MulScalar(t, 0.5)
				}
				return Add(x, Mul(shape.Lift(t, x), OnesLike(x)))
			}), 0},
			"when the events change places": {vector(func(_ *model.Scope, x, _, _ *Node) *Node { // knows its place in a batch of six
				if x.Rank() == 2 && x.Shape().Dim(0) == 6 {
					return Add(x, IotaFull(x.Graph(), x.Shape()))
				}
				return x
			}), 0},
			"an event must depend on its own context only": {vector(func(_ *model.Scope, x, _, c *Node) *Node { // minds when a context is large
				g, own := x.Graph(), ReduceSum(c, -1)
				large := ConvertDType(GreaterThan(ReduceAllMax(Abs(c)), Const(g, float32(1.2))), x.DType())
				return Mul(x, shape.Lift(Add(own, BroadcastToDims(large, own.Shape().Dimensions...)), x))
			}), 1},
			"the value doesn't depend on the context": {vector(func(_ *model.Scope, x, _, _ *Node) *Node { return x }), 3},
			"it must be finite for t from 0 to 1": {vector(func(_ *model.Scope, x, t, _ *Node) *Node {
				return Mul(x, shape.Lift(Inverse(t), x))
			}), 0},
			"the derivative with respect to x, which likelihoods need: ": {vector(func(_ *model.Scope, x, _, _ *Node) *Node {
				return Add(Expm1(x), x)
			}), 0},
			"it is NaN for event 0: it must be finite": {vector(func(_ *model.Scope, x, _, _ *Node) *Node { // √0
				return Sqrt(Sub(x, StopGradient(x)))
			}), 0},
			"changes during a step": {vector(func(scope *model.Scope, x, _, _ *Node) *Node {
				v := scope.VariableWithValue("calls", float32(0))
				v.SetNodeValue(AddScalar(v.NodeValue(x.Graph()), 1))
				return layers.Dense(scope, x, true, 2)
			}), 0},
		} {
			if err := field.Check(backend, c.f, []int{2}, c.context); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, expected %q", err, want)
			}
		}
	})
}

package field_test

import (
	"errors"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/tests/backends"

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
			context []int
		}{
			{field.MLP{EventShape: []int{2}, Hidden: []int{8}, ContextDim: 3, TimeFeatures: 4}, []int{2}, []int{3}},
			{field.MLP{Hidden: []int{8}}, nil, nil},
			{field.Scoped{Scope: "velocity", Field: field.MLP{EventShape: []int{2, 3}, Hidden: []int{4}}}, []int{2, 3}, nil},
			{recurrent{}, []int{2}, []int{3, 1}},
			{field.Scoped{Scope: "inner", Field: recurrent{}}, []int{2}, []int{3, 1}},
			{spring{}, []int{2}, nil},
			{centred{}, []int{3, 2}, nil},
			{field.Scoped{Scope: "inner", Field: centred{}}, []int{3, 2}, nil},
		} {
			if c.context == nil && backends.Few(backend) {
				continue // it compiles long
			}
			if err := field.Check(backend, c.f, c.shape, c.context); err != nil {
				t.Error(err)
			}
		}
	})
}

// GoMLX has no derivative of Rsqrt, so that what has it in its own derivative has no second one.
func TestCheckTellsSecondDerivatives(t *testing.T) {
	once := field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node {
		return IdentityWithCustomGradient(x, func(x, v *Node) *Node { return Mul(v, Rsqrt(OnePlus(Square(x)))) })
	}}
	if err := field.Check(gomlxtest.Go(t), once, []int{2}, nil); !errors.Is(err, field.ErrNoSecondDerivative) {
		t.Errorf("got %v, expected %v", err, field.ErrNoSecondDerivative)
	}
}

// Each rule is broken by a field that keeps the others.
func TestCheckFindsBrokenFields(t *testing.T) {
	vector := func(f func(scope *model.Scope, x, t, c *Node) *Node) field.Field { return field.Func{Rank: 1, F: f} }
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for want, c := range map[string]struct {
			f       field.Field
			context int // 0 without one
		}{
			"the field is nil": {nil, 0},
			"EventRank is 2, and the events have shape (2)":  {field.Func{Rank: 2, F: func(_ *model.Scope, x, _, _ *Node) *Node { return x }}, 0},
			"a context has shape (-1)":                       {vector(func(_ *model.Scope, x, _, _ *Node) *Node { return x }), -1},
			"the field takes contexts of rank 2":             {recurrent{}, 3},
			"both must agree":                                {slack{}, 0},
			"must have the shape of the lead (2, 3)":         {whole{}, 0},
			"it takes a mask, and its events have shape (2)": {flatObjects{}, 0},
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
			var context []int
			if c.context != 0 {
				context = []int{c.context}
			}
			err := field.Check(backend, c.f, []int{2}, context)
			gomlxtest.Says(t, "field.Check", err, want)
		}
	})
}

// recurrent takes a series of steps as its context.
type recurrent struct{ field.Field }

func (recurrent) EventRank() int   { return 1 }
func (recurrent) ContextRank() int { return 2 }

func (recurrent) Apply(_ *model.Scope, x, _, c *Node) *Node {
	state := ZerosLike(x)
	for step := range c.Shape().Dim(-2) {
		now := Squeeze(SliceAxis(c, -2, AxisElem(step)), -1) // lead+[1]
		state = Tanh(Add(MulScalar(state, 0.5), Mul(x, now)))
	}
	return state
}

// spring is a field with a divergence of its own: -x³ has -3|x|².
type spring struct{}

func (spring) EventRank() int { return 1 }

func (spring) Apply(_ *model.Scope, x, _, _ *Node) *Node { return Neg(Mul(x, Square(x))) }

func (f spring) ApplyWithDivergence(scope *model.Scope, x, t, c *Node) (value, divergence *Node) {
	return f.Apply(scope, x, t, c), MulScalar(ReduceSum(Square(x), -1), -3)
}

// slack forgets a factor of its divergence, and whole the lead.
type (
	slack struct{ spring }
	whole struct{ spring }
)

func (f slack) ApplyWithDivergence(scope *model.Scope, x, t, c *Node) (value, divergence *Node) {
	return f.Apply(scope, x, t, c), MulScalar(ReduceSum(Square(x), -1), -2)
}

func (f whole) ApplyWithDivergence(scope *model.Scope, x, t, c *Node) (value, divergence *Node) {
	return f.Apply(scope, x, t, c), MulScalar(ReduceAllSum(Square(x)), -3)
}

// centred moves objects towards the mean of those that there are.
type centred struct{}

func (centred) EventRank() int { return 2 }

func (f centred) Apply(scope *model.Scope, x, t, c *Node) *Node {
	return f.ApplyMasked(scope, x, t, c, OnesLike(ReduceSum(x, -1)))
}

func (centred) ApplyMasked(_ *model.Scope, x, _, _, mask *Node) *Node {
	n := MaxScalar(ReduceAndKeep(mask, ReduceSum, -1), 1)
	mean := Div(ReduceAndKeep(x, ReduceSum, -2), InsertAxes(n, -1))
	return Sub(mean, x)
}

// empty divides by the number of objects, of none too.
type empty struct{ centred }

func (f empty) Apply(scope *model.Scope, x, t, c *Node) *Node {
	return f.ApplyMasked(scope, x, t, c, OnesLike(ReduceSum(x, -1)))
}

func (empty) ApplyMasked(scope *model.Scope, x, _, _, mask *Node) *Node {
	mean := Div(ReduceAndKeep(x, ReduceSum, -2), InsertAxes(ReduceAndKeep(mask, ReduceSum, -1), -1))
	return Sub(Mul(mean, scope.VariableWithValue("pull", float32(1)).NodeValue(x)), x)
}

// flatObjects claims objects in events that have no axis for them.
type flatObjects struct{ centred }

func (flatObjects) EventRank() int { return 1 }

func (flatObjects) Apply(_ *model.Scope, x, _, _ *Node) *Node { return Tanh(x) }

// unlike uses a mask of ones otherwise than none.
type unlike struct{ centred }

func (unlike) ApplyMasked(_ *model.Scope, x, _, _, _ *Node) *Node { return x }

// A field on objects is given the mask, however it is wrapped, and what it makes of it is
// checked.
func TestOnObjects(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for want, f := range map[string]field.Field{"some have no objects": empty{}, "with a mask of ones": unlike{}} {
			gomlxtest.Says(t, want, field.Check(backend, f, []int{3, 2}, nil), want)
		}
		// Two objects at 1 and 3 and padding: their mean is 2, and with the padding 4/3.
		for _, f := range []field.Field{centred{}, field.Scoped{Scope: "inner", Field: field.Scoped{Scope: "inmost", Field: centred{}}}} {
			out, err := model.CallOnce(backend, model.NewStore(), func(scope *model.Scope, x, mask *Node) *Node {
				return field.Call(field.Masked(f, mask), scope, x, ScalarZero(x.Graph(), x.DType()), nil)
			}, [][][]float64{{{1}, {3}, {7}}}, [][]float64{{1, 1, 0}})
			gomlxtest.Near(t, "towards the mean", gomlxtest.Floats(t, out, err), []float64{1, -1, 0}, 1e-12)
		}
	})
}

package field

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/conformance"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/loop"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Check reports where f breaks a rule of [Field], for a test of your own type, with weights
// that are drawn for it, in float32:
//   - its value has the shape of x for leads of every kind, with a scalar t and with one time
//     for each event, and these agree;
//   - an event's value depends on its own time and context alone, not on what else is in the
//     batch;
//   - it depends on the context, if it takes one;
//   - it is finite for t from 0 to 1;
//   - its derivative with respect to x can be built and is finite, as likelihoods need;
//   - it is the same in a compiled loop, where it may change no variable;
//   - a field that is [Divergent] has the same value with its divergence, which is the trace
//     of the derivative;
//   - a field that is [OnObjects] has the same value where nothing is padding, and
//     finite gradients for every number of objects;
//   - its second derivative can be built too, as gradients of likelihoods need. This comes
//     last: a field that serves without it passes with [ErrNoSecondDerivative].
//
// eventShape is the shape of one event, contextShape that of one condition, nil if the field
// takes none.
func Check(backend compute.Backend, f Field, eventShape, contextShape []int) error {
	if err := Validate(f); err != nil {
		return fmt.Errorf("field.Check: %w", err)
	}
	if backend == nil {
		return errors.New("field.Check: " + gomlx.NoBackend)
	}
	for what, dims := range map[string][]int{"an event": eventShape, "a context": contextShape} {
		if slices.ContainsFunc(dims, func(size int) bool { return size < 1 }) {
			return fmt.Errorf("field.Check: %s has shape %s: every axis needs at least 1 value", what, shape.Format(dims))
		}
	}
	if err := (&checker{backend: backend, field: f, shape: eventShape, context: contextShape}).check(); err != nil {
		return fmt.Errorf("field.Check: %T: %w", f, err)
	}
	return nil
}

// ErrNoSecondDerivative is what [Check] returns for a field that breaks no other rule, but
// whose second derivative can't be built: GoMLX lacks that of some operations, such as pooling.
var ErrNoSecondDerivative = errors.New("the second derivative with respect to x, which gradients of likelihoods need")

// checkLead is the lead of the batch that a field is checked with.
var checkLead = []int{2, 3}

// checker checks a field on one batch.
type checker struct {
	backend compute.Backend
	field   Field
	shape   []int
	context []int // nil without one

	store *model.Store
	in    []*tensors.Tensor // x, t, and c if there is one
	value []float64         // the field's value
	scale float64           // its largest
}

func (k *checker) check() error {
	var rank int
	if err := gomlx.Try(func() error { rank = k.field.EventRank(); return nil }); err != nil {
		return err
	}
	if rank != len(k.shape) {
		return fmt.Errorf("EventRank is %d, and the events have shape %s: it must be the number of their axes", rank, shape.Format(k.shape))
	}
	if want := ContextRank(k.field); k.context != nil && len(k.context) != want {
		return fmt.Errorf("a context has shape %s, and the field takes contexts of rank %d: see field.ContextRank", shape.Format(k.context), want)
	}
	k.store = model.NewStore()
	if err := k.store.SetRNGStateFromSeed(1); err != nil {
		return err
	}
	k.in = []*tensors.Tensor{
		wave(0, slices.Concat(checkLead, k.shape)...),
		tensors.FromValue([][]float32{{0, 0.2, 0.4}, {0.6, 0.8, 1}}),
	}
	if k.context != nil {
		k.in = append(k.in, wave(1, slices.Concat(checkLead, k.context)...))
	}
	for _, step := range []func() error{k.shapes, k.initialise, k.values, k.derivative, k.inLoop, k.divergence, k.onObjects, k.secondDerivative} {
		if err := gomlx.Try(step); err != nil {
			return err
		}
	}
	return nil
}

// wave are values of both signs, below 1.
func wave(phase float64, dims ...int) *tensors.Tensor {
	t := tensors.FromShape(shapes.Make(dtypes.Float32, dims...))
	t.MustMutableFlatData(func(flat any) {
		for i := range flat.([]float32) {
			flat.([]float32)[i] = float32(math.Sin(phase + 1.7*float64(i)))
		}
	})
	return t
}

// call applies the field to x, t and c of in.
func (k *checker) call(scope *model.Scope, in []*Node) *Node {
	return Call(k.field, scope, in[0], in[1], k.contextOf(in))
}

// contextOf is the context among x, t and c; nil if there is none.
func (k *checker) contextOf(in []*Node) *Node {
	if k.context == nil {
		return nil
	}
	return in[2]
}

// shapes builds the field for leads of every kind, in graphs that are never run.
func (k *checker) shapes() error {
	for _, lead := range [][]int{{}, {1}, {4}, {2, 3}} {
		for _, time := range [][]int{{}, lead} {
			err := gomlx.Try(func() error {
				g := NewGraph(k.backend, "field.Check")
				defer g.Finalize()
				model.SetStore(g, k.store)
				parameter := func(name string, dims ...int) *Node {
					return Parameter(g, name, shapes.Make(dtypes.Float32, dims...))
				}
				in := []*Node{parameter("x", slices.Concat(lead, k.shape)...), parameter("t", time...)}
				if k.context != nil {
					in = append(in, parameter("c", slices.Concat(lead, k.context)...))
				}
				k.call(k.store.RootScope(), in)
				return nil
			})
			if err != nil {
				return fmt.Errorf("for x with the lead %s and t of shape %s: %w", shape.Format(lead), shape.Format(time), err)
			}
		}
	}
	return nil
}

// initialise gives the field weights, and moves the trainable ones a little: a network
// whose last layer starts at zero would pass every check of its values.
func (k *checker) initialise() error {
	// GoMLX's pure Go backend can't run a graph whose only output is its first input: here
	// it is computed.
	if _, err := k.run(func(scope *model.Scope, in []*Node) []*Node { return []*Node{Neg(k.call(scope, in))} }); err != nil {
		return err
	}
	n := 0.0
	for v := range k.store.IterVariables() {
		if !v.Trainable || v.DType() != dtypes.Float32 || v.Path() == model.RNGStateVariableName {
			continue
		}
		value, err := v.Value()
		if err != nil {
			return err
		}
		moved := tensors.MustCopyFlatData[float32](value)
		for i := range moved {
			n++
			moved[i] += 0.1 * float32(math.Sin(n))
		}
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(moved, v.Shape().Dimensions...)); err != nil {
			return err
		}
	}
	return nil
}

// run computes what build makes of the batch.
func (k *checker) run(build func(scope *model.Scope, in []*Node) []*Node) ([][]float64, error) {
	args := make([]any, len(k.in))
	for i, t := range k.in {
		args[i] = t
	}
	out, err := model.CallOnceN(k.backend, k.store, func(scope *model.Scope, in []*Node) []*Node {
		return build(scope.ResetVisited(), in)
	}, args...)
	if err != nil {
		return nil, err
	}
	values := make([][]float64, len(out))
	for i, o := range out {
		for _, v := range tensors.MustCopyFlatData[float32](o) {
			values[i] = append(values[i], float64(v))
		}
		o.MustFinalizeAll()
	}
	return values, nil
}

// flat gives the batch one lead axis.
func flat(in []*Node) (out []*Node) {
	for _, n := range in {
		out = append(out, Reshape(n, slices.Concat([]int{-1}, n.Shape().Dimensions[len(checkLead):])...))
	}
	return out
}

// only is row i of the flat batch, with the lead () or (1).
func only(in []*Node, i int, keep bool) (out []*Node) {
	for _, n := range in {
		row := Slice(n, AxisElem(i))
		if !keep {
			row = Squeeze(row, 0)
		}
		out = append(out, row)
	}
	return out
}

func (k *checker) values() error {
	const first, other, last = 0, 2, 5 // rows that are looked at alone
	out, err := k.run(func(scope *model.Scope, in []*Node) []*Node {
		rows := flat(in)
		turned := make([]*Node, len(rows)) // the last row first
		for i, n := range rows {
			turned[i] = Concatenate([]*Node{Slice(n, AxisRangeToEnd(last)), Slice(n, AxisRange(0, last))}, 0)
		}
		at := ConstAs(in[1], 0.3)
		scalar, filled := slices.Clone(in), slices.Clone(in)
		scalar[1], filled[1] = at, BroadcastToDims(at, checkLead...)
		values := []*Node{
			k.call(scope, in), k.call(scope, turned),
			k.call(scope, only(rows, first, false)), k.call(scope, only(rows, other, true)), k.call(scope, only(rows, last, false)),
			k.call(scope, scalar), k.call(scope, filled),
		}
		if k.context != nil {
			changed := slices.Clone(rows)
			changed[2] = Concatenate([]*Node{AddScalar(Slice(rows[2], AxisRange(0, 1)), 0.5), Slice(rows[2], AxisRangeToEnd(1))}, 0)
			values = append(values, k.call(scope, changed))
		}
		return values
	})
	if err != nil {
		return err
	}
	k.value = out[0]
	times := []float64{0, 0.2, 0.4, 0.6, 0.8, 1}
	size := shape.Size(k.shape)
	for i, v := range k.value {
		if !conformance.Finite(v) {
			return fmt.Errorf("the value of event %d is %v at t=%v: it must be finite for t from 0 to 1", i/size, v, times[i/size])
		}
		k.scale = max(k.scale, math.Abs(v))
	}
	row := func(i int) []float64 { return k.value[i*size : (i+1)*size] }
	for n, i := range []int{first, other, last} {
		alone := out[2+n]
		if at, ok := k.differ(row(i), alone); ok {
			return fmt.Errorf("value %d of event %d is %.6g among others and %.6g alone, with the same x, t and c: an event must depend on its own time and context only, and on no other event (does the field mix the batch, or take one time for all?)",
				at, i, row(i)[at], alone[at])
		}
	}
	if at, ok := k.differ(slices.Concat(row(last), k.value[:last*size]), out[1]); ok {
		return fmt.Errorf("value %d changes to %.6g when the events change places in the batch: their values must change places with them", at, out[1][at])
	}
	if at, ok := k.differ(out[6], out[5]); ok {
		return fmt.Errorf("value %d is %.6g for a scalar t of 0.3 and %.6g for that time for each event: both must agree", at, out[5][at], out[6][at])
	}
	if k.context != nil {
		changed := out[7]
		if at, ok := k.differ(k.value[size:], changed[size:]); ok {
			return fmt.Errorf("value %d of event %d changes from %.6g to %.6g with the context of event 0: an event must depend on its own context only",
				at%size, 1+at/size, k.value[size+at], changed[size+at])
		}
		if slices.Equal(row(0), changed[:size]) {
			return errors.New("the value doesn't depend on the context: use it, or give no contextShape")
		}
	}
	return nil
}

// differ finds where two values differ by more than float32's rounding in a deep network.
func (k *checker) differ(a, b []float64) (at int, ok bool) {
	for i := range a {
		if !(math.Abs(a[i]-b[i]) <= 1e-4*math.Max(1, k.scale)) {
			return i, true
		}
	}
	return 0, false
}

func (k *checker) derivative() error {
	if err := k.derivatives(1); err != nil {
		return fmt.Errorf("the derivative with respect to x, which likelihoods need: %w", err)
	}
	return nil
}

func (k *checker) secondDerivative() error {
	if err := k.derivatives(2); err != nil {
		return fmt.Errorf("%w: %w", ErrNoSecondDerivative, err)
	}
	return nil
}

// derivatives differentiates with respect to x as many times as order says.
func (k *checker) derivatives(order int) error {
	out, err := k.run(func(scope *model.Scope, in []*Node) []*Node {
		d := k.call(scope, in)
		for range order {
			d = Gradient(ReduceAllSum(Mul(d, Sin(d))), in[0])[0] // a nonlinear function, so that none is zero
		}
		return []*Node{d}
	})
	if err != nil {
		return err
	}
	for i, v := range out[0] {
		if !conformance.Finite(v) {
			return fmt.Errorf("it is %v for event %d: it must be finite", v, i/shape.Size(k.shape))
		}
	}
	return nil
}

// inLoop computes the value as a solve does: in a compiled loop, or where the backend
// can't, step by step from the host.
func (k *checker) inLoop() error {
	program := loop.New(k.backend, k.store, func(scope *model.Scope, _ *Node, _, fixed []*Node) ([]*Node, *Node) {
		return []*Node{k.call(scope, fixed)}, nil
	})
	out, _, err := program.Run(context.Background(), 1, []*tensors.Tensor{wave(2, k.in[0].Shape().Dimensions...)}, k.in, nil)
	if err != nil {
		return fmt.Errorf("in a solve: %w", err)
	}
	values, err := gomlx.Floats("the value in a loop", out[0])
	if err != nil {
		return err
	}
	if at, ok := k.differ(k.value, values); ok {
		return fmt.Errorf("value %d is %.6g outside and %.6g inside a compiled loop: both must agree", at, k.value[at], values[at])
	}
	return nil
}

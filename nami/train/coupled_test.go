package train_test

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/coupling"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/train"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// gap is how far events are from their sources at most, and from their weights and contexts where
// they have any: all say the same number then. most is the largest event instead.
type gap struct{ most bool }

func (l gap) Loss(scope *model.Scope, b loss.Batch) *Node {
	w := scope.VariableWithValue("w", float32(0)).NodeValue(b.X)
	value := func(x *Node) *Node { // the first of an event's
		n := x.Shape().Dim(0)
		return Slice(Reshape(x, n, -1), AxisRange(), AxisRange(0, 1))
	}
	x := value(b.X)
	off := Abs(Sub(x, value(b.Source)))
	if b.Weight != nil {
		off = Max(off, Abs(Sub(x, AddScalar(value(b.Weight), -1))))
	}
	if b.Context != nil {
		off = Max(off, Abs(Sub(ModScalar(x, 2), value(b.Context))))
	}
	if l.most {
		off = x
	}
	return Add(ReduceAllMax(off), MulScalar(w, 0))
}

func (gap) SourceOf(event []int) distribution.Base { return distribution.NewStandardNormal(event...) }

// counted are events 0 to n-1, each with its weight, one more, and as context whether it is odd.
func counted(n int) data.Events {
	x, c, w := make([]float32, n), make([]float32, n), make([]float32, n)
	for i := range x {
		x[i], c[i], w[i] = float32(i), float32(i%2), float32(i+1)
	}
	return data.Events{
		X: tensors.FromFlatDataAndDimensions(x, n, 1), Context: tensors.FromFlatDataAndDimensions(c, n, 1),
		Weight: tensors.FromFlatDataAndDimensions(w, n),
	}
}

// Batches that are paired together are paired as one: 8 of 8 events are all 64 that there are,
// and each finds itself among the events to start from, with its weight and its context, from
// memory and from a function, in other units too. Alone a batch doesn't find them.
func TestCoupleTogether(t *testing.T) {
	const n, size, steps = 64, 8, 24
	same := transform.Standardize{Mean: []float64{0}, Std: []float64{1}}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		all := counted(n)
		memory, err := all.Open(data.Order{Seed: 5, BatchSize: size})
		if err != nil {
			t.Fatal(err)
		}
		made := data.Func(func(step int) (data.Events, error) { return memory.Batch(step) })
		for name, c := range map[string]struct {
			loss    loss.Loss
			source  data.Source
			options []train.Option
		}{
			"memory":     {gap{}, all, []train.Option{train.BatchSize(size)}},
			"function":   {gap{}, made, nil},
			"units":      {loss.Transformed{Of: gap{}, Transform: same}, all, []train.Option{train.BatchSize(size)}},
			"accumulate": {gap{}, all, []train.Option{train.BatchSize(size), train.Accumulate(2)}},
		} {
			for _, together := range []int{1, 8} {
				options := append(slices.Clone(c.options), train.Couple(coupling.OptimalTransport{Context: 1e-3}), train.StartFrom(all.X),
					train.CoupleTogether(together), train.Steps(steps))
				history, err := train.Fit(t.Context(), backend, model.NewStore(), c.loss, c.source, options...)
				if err != nil {
					t.Fatal(name, err)
				}
				if most := slices.Max(history.Loss); (most == 0) != (together == 8) {
					t.Errorf("%s: with %d batches paired together an event is %v from its source", name, together, most)
				}
			}
		}
	})
}

// A run that is stopped in the middle of batches that are paired together ends as one that isn't.
func TestResumeOfCoupledTogether(t *testing.T) {
	events := counted(100)
	fit := func(steps int, options ...train.Option) []float64 {
		options = append(options, train.Couple(coupling.Entropic{Epsilon: 100}), train.StartFrom(gomlxtest.Filled(3, 100, 1)),
			train.CoupleTogether(4), train.BatchSize(10), train.Steps(steps), train.Schedule(train.Constant{}))
		history, err := train.Fit(t.Context(), gomlxtest.Go(t), model.NewStore(), gap{}, data.Events{X: events.X, Weight: events.Weight}, options...)
		if err != nil {
			t.Fatal(err)
		}
		return history.Loss
	}
	want := fit(30)
	for _, stop := range []int{3, 4, 13} {
		folder := filepath.Join(t.TempDir(), "run")
		fit(stop, train.Checkpoint(folder))
		if got := fit(30, train.Checkpoint(folder)); !slices.Equal(got, want) {
			t.Errorf("stopped after %d steps it has the losses %v, expected %v", stop, got, want)
		}
	}
	_, err := train.Fit(t.Context(), gomlxtest.Go(t), model.NewStore(), gap{}, events, train.CoupleTogether(0))
	gomlxtest.Says(t, "none together", err, "CoupleTogether is 0")
	_, err = train.Fit(t.Context(), gomlxtest.Go(t), model.NewStore(), gap{}, events, train.CoupleTogether(2))
	gomlxtest.Says(t, "nothing to couple with", err, "nothing to couple with")
}

// above leaves events out that are at least a limit.
type above float32

func (a above) Pair(_ *rand.Rand, source, target, context *tensors.Tensor) ([]int, error) {
	rows, err := coupling.Independent{}.Pair(nil, source, target, context)
	target.MustConstFlatData(func(flat any) {
		for i, x := range flat.([]float32) {
			if x >= float32(a) {
				rows[i] = coupling.LeftOut
			}
		}
	})
	return rows, err
}

// Others take the place of events that are left out, with their own weights.
func TestLeftOut(t *testing.T) {
	events := counted(64)
	events.Context = nil
	for _, together := range []int{1, 4} {
		history, err := train.Fit(t.Context(), gomlxtest.Go(t), model.NewStore(), gap{most: true}, events, train.Couple(above(40)),
			train.CoupleTogether(together), train.BatchSize(16), train.Steps(40))
		if err != nil {
			t.Fatal(err)
		}
		if most := slices.Max(history.Loss); most != 39 {
			t.Errorf("the largest event is %v, expected 39", most)
		}
	}
	_, err := train.Fit(t.Context(), gomlxtest.Go(t), model.NewStore(), gap{}, events, train.Couple(above(0)), train.BatchSize(16))
	gomlxtest.Says(t, "none is left", err, "leaves out all of 16 events")
}

// noted keeps what it is asked to pair.
type noted struct{ calls *[][2]*tensors.Tensor }

func (c noted) Pair(_ *rand.Rand, source, target, context *tensors.Tensor) ([]int, error) {
	*c.calls = append(*c.calls, [2]*tensors.Tensor{source, target})
	return coupling.Independent{}.Pair(nil, source, target, context)
}

// Events of equal masks are paired with each other, with zeros in the padding of both sides.
func TestCoupleMasked(t *testing.T) {
	const n = 12
	mask := make([]float32, 2*n)
	for i := range n {
		mask[2*i] = 1
		mask[2*i+1] = float32(i % 3 / 2) // a third has two objects
	}
	events := data.Events{X: gomlxtest.Filled(7, n, 2, 1), Mask: tensors.FromFlatDataAndDimensions(mask, n, 2)}
	var calls [][2]*tensors.Tensor
	if _, err := train.Fit(t.Context(), gomlxtest.Go(t), model.NewStore(), gap{}, events, train.Couple(noted{&calls}),
		train.CoupleTogether(3), train.BatchSize(4), train.Steps(1)); err != nil {
		t.Fatal(err)
	}
	sizes := map[int]int{}
	for _, call := range calls {
		for side, x := range call {
			flat, size := gomlxtest.Floats(t, x, nil), x.Shape().Dim(0)
			sizes[size]++
			for i := range size {
				if flat[2*i] == 0 || (flat[2*i+1] == 0) != (size == 8) {
					t.Errorf("side %d of %d events has %v", side, size, flat[2*i:2*i+2])
				}
			}
		}
	}
	if len(sizes) != 2 || sizes[8] != 2 || sizes[4] != 2 {
		t.Errorf("numbers of events that are paired: %v, expected 8 and 4", sizes)
	}
}

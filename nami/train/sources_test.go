package train_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/coupling"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// drawn is the mean of the source minus five times the event's context, if it has one:
// it tells what the events were paired with. It draws from base.
type drawn struct{ base distribution.Base }

func (d drawn) Loss(scope *model.Scope, b loss.Batch) *Node {
	w := scope.VariableWithValue("w", float32(0)).NodeValue(b.X)
	source := b.Source
	if b.Context != nil {
		source = Sub(source, MulScalar(b.Context, 5))
	}
	return Add(ReduceAllMean(source), Mul(w, ConstAs(w, 0)))
}

func (d drawn) SourceOf([]int) distribution.Base { return d.base }

// shifted is N(5c, 1) for a context c.
type shifted struct{}

func (shifted) EventShape() []int { return []int{1} }

func (shifted) Given(_ *model.Scope, c *Node) distribution.Distribution {
	mean := MulScalar(c, 5)
	return distribution.DiagonalNormalOf(mean, OnesLike(mean), 1)
}

// A coupling pairs the events with what the loss itself draws from: its base, given the
// context of each event. Each step's mean of 200 values of N(m, 1) is within 0.5 of m: with
// 60 steps, a right sampler fails with a chance of 60·1.5e-12.
func TestCoupledBase(t *testing.T) {
	const n = 200
	contexts := make([]float32, n)
	for i := range contexts {
		contexts[i] = float32(i%7) - 3
	}
	seven, err := distribution.NewDiagonalNormal(tensors.FromValue([]float32{7}), tensors.FromValue([]float32{1}), 1)
	if err != nil {
		t.Fatal(err)
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		events := data.Events{X: gomlxtest.Filled(1, n, 1)}
		conditional := events
		conditional.Context = tensors.FromFlatDataAndDimensions(contexts, n, 1)
		for _, c := range []struct {
			base   distribution.Base
			events data.Events
			want   float64
		}{{seven, events, 7}, {shifted{}, conditional, 0}} {
			history, err := train.Fit(t.Context(), backend, model.NewStore(), drawn{c.base}, c.events, train.Couple(coupling.Independent{}),
				train.Steps(30), train.BatchSize(n))
			if err != nil {
				t.Fatal(err)
			}
			for step, mean := range history.Loss {
				if mean < c.want-0.5 || mean > c.want+0.5 {
					t.Errorf("step %d pairs with a mean of %v, expected %v", step, mean, c.want)
				}
			}
			if slices.Max(history.Loss) == slices.Min(history.Loss) {
				t.Error("every step has the same source")
			}
		}
	})
}

// unsourced doesn't tell what it draws from.
type unsourced struct{}

func (unsourced) Loss(scope *model.Scope, b loss.Batch) *Node { return drawn{}.Loss(scope, b) }

// What can't be paired is refused, with the reason.
func TestBadSources(t *testing.T) {
	backend := gomlxtest.Go(t)
	events := data.Events{X: gomlxtest.Filled(1, 8, 1)}
	withSource, withContext := events, events
	withSource.Source, withContext.Context = gomlxtest.Filled(2, 8, 1), gomlxtest.Filled(1, 8, 1)
	learned := distribution.LearnedNormal{Event: []int{1}}
	couple := train.Couple(coupling.OptimalTransport{})
	for want, c := range map[string]struct {
		loss   loss.Loss
		events data.Events
		option train.Option
	}{
		"has variables that learn (/learned_normal/": {drawn{learned}, events, couple},
		"the loss train_test.unsourced doesn't tell": {unsourced{}, events, couple},
		"there is nothing to pair":                   {drawn{}, withSource, couple},
		"nothing to pair: leave out Couple and":      {drawn{}, withSource, train.StartFrom(gomlxtest.Filled(1, 8, 1))},
		"would pair noise with data across":          {drawn{distribution.NewStandardNormal(1)}, withContext, couple},
		"the loss's base distribution.StandardNorma": {drawn{distribution.NewStandardNormal(2)}, events, couple},
		"the events to start from are (Float32)[8, ": {drawn{}, events, train.StartFrom(gomlxtest.Filled(1, 8, 2))},
		"the events to start from: 1 of 8 values of": {drawn{}, events, train.StartFrom(func() *tensors.Tensor {
			x := gomlxtest.Filled(1, 8, 1)
			x.MustMutableFlatData(func(flat any) { flat.([]float32)[3] /= 0 * flat.([]float32)[3] })
			return x
		}())},
	} {
		_, err := train.Fit(t.Context(), backend, model.NewStore(), c.loss, c.events, c.option, train.Steps(1), train.BatchSize(8))
		gomlxtest.Says(t, want, err, want)
	}
}

// within pairs events with sources of the same context.
type within struct{}

func (within) PairsWithinContexts() bool { return true }

func (within) Pair(random *rand.Rand, source, target, context *tensors.Tensor) ([]int, error) {
	if err := coupling.Validate(source, target, context); err != nil {
		return nil, err
	}
	rows := make([]int, target.Shape().Dim(0)) // every source is as good as any other here
	for i := range rows {
		rows[i] = random.IntN(len(rows))
	}
	return rows, nil
}

// A coupling that keeps to contexts is given them, and random numbers of its own in each step.
func TestConditionalCoupling(t *testing.T) {
	events := data.Events{X: gomlxtest.Filled(1, 64, 1), Context: gomlxtest.Filled(0, 64, 1)}
	starts := make([]float32, 64)
	for i := range starts {
		starts[i] = float32(i)
	}
	history, err := train.Fit(t.Context(), gomlxtest.Go(t), model.NewStore(), drawn{}, events, train.Couple(within{}),
		train.StartFrom(tensors.FromFlatDataAndDimensions(starts, 64, 1)), train.Steps(20), train.BatchSize(64))
	if err != nil {
		t.Fatal(err)
	}
	for i, mean := range history.Loss[1:] {
		if mean == history.Loss[i] {
			t.Errorf("steps %d and %d drew the same rows: %v", i, i+1, history.Loss)
		}
	}
}

// Events that have a source each keep it.
func TestPairedSources(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		events := line()
		events.Source = events.X
		still := loss.FM{Field: field.Func{Rank: 1, F: func(scope *model.Scope, x, _, _ *Node) *Node {
			return Mul(ZerosLike(x), scope.VariableWithValue("w", float32(0)).NodeValue(x))
		}}}
		history, err := train.Fit(t.Context(), backend, model.NewStore(), still, events, train.Steps(20), train.BatchSize(8))
		if err != nil {
			t.Fatal(err)
		}
		// The velocity from an event to itself is zero.
		gomlxtest.Near(t, "the losses", history.Loss, make([]float64, 20), 0)
	})
}

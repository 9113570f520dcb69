package train_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/nami-flow/go-nami/nami/coupling"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/train"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

var _ coupling.Conditional = looking{}

// looking is a coupling that leaves pairs as they are, and keeps what it saw first.
type looking struct{ saw *[2]string }

func (l looking) Pair(_ *rand.Rand, source, target, context *tensors.Tensor) ([]int, error) {
	if l.saw[0] == "" {
		l.saw[0], l.saw[1] = fmt.Sprint(target.Value()), fmt.Sprint(context.Value())
	}
	rows := make([]int, target.Shape().Dimensions[0])
	for i := range rows {
		rows[i] = i
	}
	return rows, nil
}

func (looking) PairsWithinContexts() bool { return true }

// A coupling sees events and contexts in the units of the loss, whose source has another shape
// than the data there.
func TestCouplingInUnits(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		l := loss.Transformed{
			Of:               loss.FM{Field: field.MLP{EventShape: []int{2}, Hidden: []int{4}, ContextDim: 1}},
			Transform:        transform.Circle{},
			ContextTransform: transform.Standardize{Mean: []float64{10}, Std: []float64{5}},
		}
		events := data.Events{X: tensors.FromValue([][]float32{{0}, {0}}), Context: tensors.FromValue([][]float32{{15}, {15}})}
		saw := new([2]string)
		_, err := train.Fit(context.Background(), backend, model.NewStore(), l, events, train.Steps(2), train.BatchSize(2), train.Couple(looking{saw}))
		if err != nil {
			t.Fatal(err)
		}
		if want := [2]string{"[[1 0] [1 0]]", "[[1] [1]]"}; *saw != want {
			t.Errorf("the coupling saw %v, expected %v", *saw, want)
		}
	})
}

// Data outside the domain of a loss's transforms is refused before a step, with its place.
func TestDataOutsideOfUnits(t *testing.T) {
	backend := gomlxtest.Go(t)
	l := loss.Transformed{
		Of: loss.FM{Field: field.MLP{EventShape: []int{2}, Hidden: []int{4}}}, Transform: transform.Columns{{Of: []int{1}, By: transform.Logarithm{}}},
	}
	good := tensors.FromValue([][]float32{{-1, 1}, {0, 2}, {1, 3}, {2, 4}})
	bad := tensors.FromValue([][]float32{{-1, 1}, {0, 2}, {1, 3}, {2, 0}})
	const place = "the value in row 3, column 1 of (Float32)[4, 2] is 0"
	fit := func(source data.Source, options ...train.Option) error {
		_, err := train.Fit(context.Background(), backend, model.NewStore(), l, source, append(options, train.Steps(2))...)
		return err
	}
	batches := func(step int) (data.Events, error) {
		return data.Events{X: []*tensors.Tensor{good, bad}[step]}, nil
	}
	gomlxtest.Says(t, "in memory", fit(data.Events{X: bad}, train.BatchSize(1)), place)
	gomlxtest.Says(t, "in a batch", fit(data.Func(batches)), "the data of step 1: the data: "+place)
	gomlxtest.Says(t, "validation", fit(data.Events{X: good}, train.BatchSize(2), train.Validate(train.Validation{Events: data.Events{X: bad}})), "the Validation: the data: "+place)

	trainer, err := train.NewTrainer(backend, model.NewStore(), l)
	if err != nil {
		t.Fatal(err)
	}
	gomlxtest.Says(t, "a trainer's batch", trainer.Steps(data.Events{X: bad}, 1), place)
	store := model.NewStore()
	if _, err := train.Fit(context.Background(), backend, store, l, data.Events{X: good}, train.Steps(1), train.BatchSize(2)); err != nil {
		t.Fatal(err)
	}
	evaluator, err := train.NewEvaluator(backend, store, l)
	if err != nil {
		t.Fatal(err)
	}
	_, err = evaluator.Evaluate(context.Background(), data.Events{X: bad})
	gomlxtest.Says(t, "evaluated", err, place)

	l.Transform = transform.Standardize{}
	gomlxtest.Says(t, "not fitted", fit(data.Events{X: good}, train.BatchSize(2)), "fit them with transform.Fit")
}

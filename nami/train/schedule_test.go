package train_test

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// slope has a gradient that never changes, so that each of Adam's steps is the learning
// rate.
type slope struct{}

func (slope) Loss(scope *model.Scope, b loss.Batch) *Node {
	x := b.X
	return scope.VariableWithValue("w", float32(1)).NodeValue(x.Graph())
}

// A run with a falling rate belongs to its number of steps.
func TestCosineBelongsToItsSteps(t *testing.T) {
	backend, name := gomlxtest.Go(t), filepath.Join(t.TempDir(), "run")
	if _, err := fit(backend, model.NewStore(), train.Schedule(train.Cosine{}), train.Checkpoint(name)); err != nil {
		t.Fatal(err)
	}
	for want, options := range map[string][]train.Option{
		"schedule is train.Cosine {0} over 40 steps here and was train.Cosine {0} over 30 steps": {train.Schedule(train.Cosine{}), train.Steps(40)},
		"fit them under another name; Schedule(train.Constant{}) from the first step on":         {train.Schedule(train.Cosine{}), train.Steps(40)},
		"schedule is a constant rate here and was train.Cosine {0} over 30 steps":                {train.Schedule(train.Constant{})},
	} {
		_, err := fit(backend, model.NewStore(), append(options, train.Checkpoint(name))...)
		gomlxtest.Says(t, want, err, want)
	}
	// With its own number of steps, it can be continued.
	fixed, name := train.Schedule(train.Cosine{Steps: 50}), filepath.Join(t.TempDir(), "fixed")
	for _, steps := range []int{20, 60} {
		if _, err := fit(backend, model.NewStore(), fixed, train.Steps(steps), train.Checkpoint(name)); err != nil {
			t.Error(err)
		}
	}
}

// Each of the steps is the learning rate times the schedule's factor.
func TestSchedules(t *testing.T) {
	const rate = 0.01
	half := func(i, n float64) float64 { return (1 + math.Cos(math.Pi*math.Min(i/n, 1))) / 2 }
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for name, c := range map[string]struct {
			schedule train.RateSchedule
			factor   func(i float64) float64
		}{
			"not given":        {nil, func(i float64) float64 { return half(i, 40) }},
			"constant":         {train.Constant{}, func(float64) float64 { return 1 }},
			"cosine":           {train.Cosine{}, func(i float64) float64 { return half(i, 40) }},
			"a shorter cosine": {train.Cosine{Steps: 25}, func(i float64) float64 { return half(i, 25) }},
			"warm-up":          {train.WarmUp{Steps: 10}, func(i float64) float64 { return math.Min((i+1)/10, 1) }},
			"warm-up and cosine": {train.WarmUp{Steps: 10, Then: train.Cosine{}}, func(i float64) float64 {
				if i < 10 {
					return (i + 1) / 10
				}
				return half(i-10, 30)
			}},
			"a function": {train.RateFunc(func(step *Node) *Node {
				return Reciprocal(Sqrt(Add(step, Const(step.Graph(), 1.0))))
			}), func(i float64) float64 { return 1 / math.Sqrt(i+1) }},
		} {
			options := []train.Option{train.Steps(40), train.BatchSize(16)} // the usual rate is 0.01
			if c.schedule != nil {
				options = append(options, train.LearningRate(rate), train.Schedule(c.schedule))
			}
			history, err := train.Fit(t.Context(), backend, model.NewStore(), slope{}, line(), options...)
			if err != nil {
				t.Fatal(err)
			}
			want := make([]float64, 40)
			for i, w := 0, 1.0; i < 40; i++ {
				want[i] = w
				w -= rate * c.factor(float64(i))
			}
			gomlxtest.Near(t, name+": the weight before each step", history.Loss, want, 1e-5)
		}
	})
}

package train_test

import (
	"context"
	"math"
	"path/filepath"
	"strings"
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

// The learning rate falls along half a cosine, on the steps of bursts as on single ones.
func TestDecay(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		const steps, rate = 100, 0.01
		store := model.NewStore()
		history, err := train.Fit(t.Context(), backend, store, slope{}, line(), train.Steps(steps), train.BatchSize(16),
			train.LearningRate(rate), train.Decay(), train.Progress(nil))
		if err != nil {
			t.Fatal(err)
		}
		want := 1.0
		for i, w := range history.Loss {
			if math.Abs(w-want) > 1e-5 {
				t.Fatalf("before step %d the weight is %v, expected %v", i, w, want)
			}
			want -= rate / 2 * (1 + math.Cos(math.Pi*float64(i)/steps))
		}
		if got := float64(weights(t, store)["/w"][0]); math.Abs(got-want) > 1e-5 {
			t.Errorf("the weight is %v, expected %v", got, want)
		}
	})
}

// A run with a falling rate that was cut short resumes to the same bits, and belongs to its
// number of steps.
func TestDecayResumes(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		whole, name := model.NewStore(), filepath.Join(t.TempDir(), "run")
		if _, err := fit(backend, whole, train.Decay()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if _, err := train.Fit(ctx, backend, model.NewStore(), tiny, line(), train.Steps(30), train.BatchSize(16), train.Seed(3),
			train.Decay(), train.Checkpoint(name), train.Progress(canceller{cancel})); err == nil {
			t.Fatal("it wasn't cancelled")
		}
		store := model.NewStore()
		if _, err := fit(backend, store, train.Decay(), train.Checkpoint(name)); err != nil {
			t.Fatal(err)
		}
		same(t, weights(t, whole), weights(t, store))
		for want, options := range map[string][]train.Option{
			"decay is over 40 steps here and was over 30 steps": {train.Decay(), train.Steps(40)},
			"decay is none here and was over 30 steps":          nil,
		} {
			_, err := fit(backend, model.NewStore(), append(options, train.Checkpoint(name))...)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, expected it to say %q", err, want)
			}
		}
	})
}

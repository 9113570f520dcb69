package train_test

import (
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// A process bound to a store that goes on training has the new weights at its next call: as
// one that is bound afterwards.
func TestProcessSeesTraining(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		store := model.NewStore()
		trainer, err := train.NewTrainer(backend, store, tiny, train.LearningRate(0.01))
		if err != nil {
			t.Fatal(err)
		}
		flow := nami.FlowMatching{Field: tiny.Field, Base: distribution.NewStandardNormal(2), Solver: solver.Heun(4)}
		bind := func() *nami.Process {
			process, err := flow.Bind(backend, store, nil)
			if err != nil {
				t.Fatal(err)
			}
			return process
		}
		logProb := func(process *nami.Process) []float32 {
			out, err := process.LogProb(t.Context(), line().X, divergence.Exact{})
			if err != nil {
				t.Fatal(err)
			}
			return tensors.MustCopyFlatData[float32](out)
		}
		if err := trainer.Steps(line(), 1); err != nil {
			t.Fatal(err)
		}
		process := bind()
		before := logProb(process)
		if err := trainer.Steps(line(), 20); err != nil {
			t.Fatal(err)
		}
		after, fresh := logProb(process), logProb(bind())
		moved := 0.0
		for i := range fresh {
			if after[i] != fresh[i] {
				t.Fatalf("log p of event %d is %v by the process of before, %v by a fresh one", i, after[i], fresh[i])
			}
			moved = max(moved, math.Abs(float64(after[i]-before[i])))
		}
		if moved < 1e-3 {
			t.Errorf("20 steps moved log p by %v at most: the test shows nothing", moved)
		}
	})
}

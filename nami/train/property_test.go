package train_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/nami-flow/go-nami/nami/coupling"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"pgregory.net/rapid"
)

// Whatever a fit and a trainer are given, they train or return an error that teaches.
func TestAnyTraining(t *testing.T) {
	backend, dir := gomlxtest.Go(t), t.TempDir()
	sets := field.Func{Rank: 2, F: func(scope *model.Scope, x, _, _ *Node) *Node {
		return Mul(x, scope.VariableWithValue("scale", float32(0.5)).NodeValue(x))
	}}
	losses := map[string]loss.Loss{
		"none": nil, "flow": loss.FM{Field: sets}, "masked": loss.FM{Field: sets}, "no field": loss.FM{},
		"diffusion": loss.Denoising{Field: sets}, "with context": loss.FM{Field: field.MLP{EventShape: []int{3, 2}, Hidden: []int{2}, ContextDim: 2}},
	}
	gomlxtest.Check(t, 60, func(t *rapid.T) {
		what := gomlxtest.Mostly(t, "loss", rapid.SampledFrom([]string{"flow", "masked", "with context"}).Draw(t, "usual"), "none", "no field", "diffusion")
		l := losses[what]
		x, c := gomlxtest.Misfit(t, "x", 4, 3, 2), gomlxtest.Misfit(t, "c", 4, 2)
		options := []train.Option{
			train.Progress(nil), train.Steps(gomlxtest.Mostly(t, "steps", 2, 1, 0, -1)), train.BatchSize(gomlxtest.Mostly(t, "batch size", 4, 1, 0, -1, 5)),
			train.LearningRate(gomlxtest.Mostly(t, "learning rate", 0.01, rapid.Float64().Draw(t, "odd"))),
		}
		if gomlxtest.Mostly(t, "a context", what == "with context", true, false) {
			options = append(options, train.Context(c))
		}
		if gomlxtest.Mostly(t, "a mask", what == "masked", true, false) {
			mask := gomlxtest.Misfit(t, "mask", 4, 3)
			if mask != nil && mask.DType() == dtypes.Float32 && gomlxtest.Mostly(t, "a mask's values", true, false) {
				mask.MustMutableFlatData(func(flat any) {
					for i := range flat.([]float32) {
						flat.([]float32)[i] = float32(i % 2)
					}
				})
			}
			options = append(options, train.Mask(mask))
		}
		if gomlxtest.Mostly(t, "a source", what == "flow", true, false) {
			options = append(options, train.Source(gomlxtest.Misfit(t, "source", 5, 3, 2)))
		}
		if gomlxtest.Mostly(t, "coupled", what == "flow", true, false) {
			options = append(options, train.Couple(rapid.SampledFrom([]coupling.Coupling{nil, coupling.Independent{}, coupling.OptimalTransport{}}).Draw(t, "coupling")))
		}
		gomlxtest.Bears(t, "Fit", func() ([]*tensors.Tensor, error) {
			h, err := train.Fit(context.Background(), backend, model.NewStore(), l, x, options...)
			if err != nil {
				return nil, err
			}
			return []*tensors.Tensor{tensors.FromFlatDataAndDimensions(h.Loss, h.Steps())}, nil
		})
		gomlxtest.Bears(t, "Trainer", func() ([]*tensors.Tensor, error) {
			trainer, err := train.NewTrainer(backend, model.NewStore(), l, 0.01, 1)
			if err == nil {
				if what != "with context" {
					c = gomlxtest.Mostly(t, "trainer's context", nil, c)
				}
				err = trainer.Steps(x, c, gomlxtest.Mostly(t, "n", 2, 0, -1))
			}
			if err == nil {
				_, err = trainer.Losses()
			}
			return nil, err
		})
		store := model.NewStore()
		if value := gomlxtest.Misfit(t, "a variable", 3, 2); value != nil {
			store.VariableWithValue("a", value)
		}
		name := filepath.Join(dir, rapid.SampledFrom([]string{"a", "b", "", "a/b"}).Draw(t, "checkpoint"))
		gomlxtest.Bears(t, "Save", func() ([]*tensors.Tensor, error) { return nil, train.Save(store, name) })
		other := rapid.SampledFrom([]*model.Store{nil, store, model.NewStore()}).Draw(t, "store")
		gomlxtest.Bears(t, "Load", func() ([]*tensors.Tensor, error) { return nil, train.Load(other, name) })
	})
}

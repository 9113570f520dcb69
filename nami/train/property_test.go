package train_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/coupling"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/train"

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
	losses := map[string]train.Loss{
		"none": nil, "flow": nami.FMLoss{Field: sets}, "masked": nami.MaskedFMLoss{Field: sets}, "no field": nami.FMLoss{},
		"diffusion": nami.DiffusionLoss{Field: sets}, "with context": nami.FMLoss{Field: field.MLP{EventShape: []int{3, 2}, Hidden: []int{2}, ContextDim: 2}},
	}
	gomlxtest.Check(t, 60, func(t *rapid.T) {
		loss := losses[rapid.SampledFrom(append(slices.Repeat([]string{"flow", "masked", "with context"}, 3), "none", "no field", "diffusion")).Draw(t, "loss")]
		x, c := gomlxtest.Misfit(t, "x", 4, 3, 2), gomlxtest.Misfit(t, "c", 4, 2)
		few := rapid.IntRange(-1, 4)
		options := []train.Option{
			train.Progress(nil), train.Steps(rapid.SampledFrom([]int{1, 2, 2, 2, 0, -1}).Draw(t, "steps")),
			train.BatchSize(rapid.SampledFrom([]int{1, 2, 4, 4, 0, 5}).Draw(t, "batch size")),
			train.LearningRate(rapid.OneOf(rapid.Just(0.01), rapid.Float64()).Draw(t, "learning rate")),
		}
		if rapid.Bool().Draw(t, "with context") {
			options = append(options, train.Context(c))
		}
		if rapid.Bool().Draw(t, "with mask") {
			options = append(options, train.Mask(gomlxtest.Misfit(t, "mask", 4, 3)))
		}
		if rapid.Bool().Draw(t, "with source") {
			options = append(options, train.Source(gomlxtest.Misfit(t, "source", 5, 3, 2)))
		}
		if rapid.Bool().Draw(t, "coupled") {
			options = append(options, train.Couple(rapid.SampledFrom([]coupling.Coupling{nil, coupling.Independent{}, coupling.OptimalTransport{}}).Draw(t, "coupling")))
		}
		gomlxtest.Bears(t, "Fit", func() ([]*tensors.Tensor, error) {
			h, err := train.Fit(context.Background(), backend, model.NewStore(), loss, x, options...)
			if err != nil {
				return nil, err
			}
			return []*tensors.Tensor{tensors.FromFlatDataAndDimensions(h.Loss, h.Steps())}, nil
		})
		gomlxtest.Bears(t, "Trainer", func() ([]*tensors.Tensor, error) {
			trainer, err := train.NewTrainer(backend, model.NewStore(), loss, 0.01, 1)
			if err == nil {
				err = trainer.Steps(x, c, few.Draw(t, "n"))
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

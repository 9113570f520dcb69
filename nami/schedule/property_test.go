package schedule_test

import (
	"fmt"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/tests/property"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"pgregory.net/rapid"
)

// searched is a schedule without an inverse in closed form.
type searched struct{ schedule.Schedule }

// Whatever parameters, values and times are given, what comes back has the shape that it
// should, or what is said teaches.
func TestAnyMixtures(t *testing.T) {
	backend := gomlxtest.Go(t)
	property.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(rapid.Just(0.0), rapid.Float64Range(0.01, 20), rapid.Float64())
		schedules := []schedule.Schedule{
			schedule.Linear{},
			schedule.Cosine{},
			searched{schedule.Linear{}},
			schedule.VP{BetaMin: number.Draw(t, "BetaMin"), BetaMax: number.Draw(t, "BetaMax")},
			schedule.VE{SigmaMin: number.Draw(t, "SigmaMin"), SigmaMax: number.Draw(t, "SigmaMax")},
			schedule.EDM{SigmaMin: number.Draw(t, "SigmaMin"), SigmaMax: number.Draw(t, "SigmaMax"), Rho: number.Draw(t, "Rho")},
		}
		s, other := rapid.SampledFrom(schedules).Draw(t, "schedule"), rapid.SampledFrom(schedules).Draw(t, "other")
		kind := func(name string) schedule.Prediction {
			return schedule.Prediction(rapid.IntRange(-1, 6).Draw(t, name))
		}
		from, to := kind("from"), kind("to")
		if _, err := schedule.ParsePrediction(rapid.String().Draw(t, "name")); err != nil {
			gomlxtest.Teaches(t, "ParsePrediction", err)
		}
		value, x := gomlxtest.Misfit(t, "value", 3, 2), gomlxtest.Misfit(t, "x", 3, 2)
		at := gomlxtest.Misfit(t, "t", rapid.SampledFrom([][]int{{}, {3}}).Draw(t, "times")...)
		if value == nil || x == nil || at == nil {
			return
		}
		f := field.Func{Rank: rapid.IntRange(-1, 3).Draw(t, "rank"), F: func(_ *model.Scope, x, _, _ *Node) *Node { return x }}
		in := []*tensors.Tensor{value, x, at}
		like := func(what string, want *tensors.Tensor, build func(value, x, t *Node) *Node) {
			gomlxtest.Builds(t, backend, fmt.Sprintf("%s of %v", what, s), in,
				func(in []*Node) []*Node { return []*Node{build(in[0], in[1], in[2])} }, want.Shape().Dimensions)
		}
		like("Alpha", at, func(_, _, t *Node) *Node { return s.Alpha(t) })
		like("Sigma", at, func(_, _, t *Node) *Node { return s.Sigma(t) })
		like("Diffusion", at, func(_, _, t *Node) *Node { return s.Diffusion(t) })
		like("Drift", x, func(_, x, t *Node) *Node { return s.Drift(x, t) })
		like("AlphaDot", at, func(_, _, t *Node) *Node { return schedule.AlphaDot(s, t) })
		like("SigmaDot", at, func(_, _, t *Node) *Node { return schedule.SigmaDot(s, t) })
		like("SNR", at, func(_, _, t *Node) *Node { return schedule.SNR(s, t) })
		like("TimeOf", x, func(value, x, _ *Node) *Node { return schedule.TimeOf(s, x, value) })
		like("Convert", x, func(value, x, t *Node) *Node { return schedule.Convert(s, from, to, value, x, t) })
		for what, f := range map[string]field.Field{
			"Converted":   schedule.Converted{Field: f, Schedule: s, From: from, To: to},
			"Rescheduled": schedule.Rescheduled{Field: f, From: s, Prediction: from, To: other, As: to},
			"nothing":     schedule.Converted{},
		} {
			like(what, x, func(_, x, t *Node) *Node { return field.Call(f, model.NewStore().RootScope(), x, t, nil) })
		}
	})
}

package schedule_test

import (
	"fmt"
	"math"
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
		// Two numbers, of which the second is larger.
		pair := func(name string) (low, high float64) {
			low = rapid.Float64Range(0.01, 5).Draw(t, name)
			high = low + rapid.Float64Range(0.1, 20).Draw(t, name)
			switch property.Mostly(t, name, "right", "negative", "the wrong way round", "infinite") {
			case "negative":
				low = -low
			case "the wrong way round":
				low, high = high, low
			case "infinite":
				high = math.Inf(1)
			}
			return low, high
		}
		betaMin, betaMax := pair("beta")
		sigmaMin, sigmaMax := pair("sigma")
		rho := property.Mostly(t, "rho", rapid.Float64Range(1, 8).Draw(t, "usual"), -1, math.NaN())
		schedules := []schedule.Schedule{
			schedule.Linear{},
			schedule.Cosine{},
			searched{schedule.Linear{}},
			schedule.VP{BetaMin: betaMin, BetaMax: betaMax},
			schedule.VE{SigmaMin: sigmaMin, SigmaMax: sigmaMax},
			schedule.EDM{SigmaMin: sigmaMin, SigmaMax: sigmaMax, Rho: rho},
		}
		s, other := rapid.SampledFrom(schedules).Draw(t, "schedule"), rapid.SampledFrom(schedules).Draw(t, "other")
		kind := func(name string) schedule.Prediction {
			return property.Mostly(t, name, schedule.Prediction(rapid.IntRange(0, 4).Draw(t, name)), -1, 6)
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
		f := field.Func{Rank: property.Mostly(t, "rank", 1, 0, 2, 3, -1), F: func(_ *model.Scope, x, _, _ *Node) *Node { return x }}
		in := []*tensors.Tensor{value, x, at}
		like := func(what string, want *tensors.Tensor, build func(value, x, t *Node) *Node) {
			gomlxtest.Builds(t, backend, fmt.Sprintf("%s of %v", what, s), in,
				func(in []*Node) []*Node { return []*Node{build(in[0], in[1], in[2])} }, want.Shape().Dimensions)
		}
		gomlxtest.Refuses(t, backend, "Converted{}", "is nil", in, func(in []*Node) []*Node {
			return []*Node{field.Call(schedule.Converted{}, model.NewStore().RootScope(), in[1], in[2], nil)}
		})
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
		} {
			like(what, x, func(_, x, t *Node) *Node { return field.Call(f, model.NewStore().RootScope(), x, t, nil) })
		}
	})
}

package nami_test

import (
	"context"
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Log-densities with noise come closer to the logarithm of the probability with more draws, each
// a lower bound on average: here that of a count whose density, with the noise, is normal.
func TestDraws(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		flow := nami.FlowMatching{
			Field: field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return ZerosLike(x) }},
			Base:  distribution.NewStandardNormal(1), Solver: solver.Euler(1), Transform: transform.Dequantize{},
		}
		cumulative := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
		const n, draws = 40, 256
		counts, want := make([]float32, n), make([]float64, n)
		for i := range counts {
			counts[i] = float32(i%4) - 2
			want[i] = math.Log(cumulative(float64(counts[i])+1) - cumulative(float64(counts[i])))
		}
		x := tensors.FromFlatDataAndDimensions(counts, n, 1)
		of := func(options ...nami.Option) []float64 {
			process, err := flow.Bind(backend, model.NewStore(), nil, options...)
			if err != nil {
				t.Fatal(err)
			}
			if !process.Noisy(divergence.Exact{}) {
				t.Error("a process with noise isn't noisy")
			}
			logProb, err := process.LogProb(context.Background(), x, divergence.Exact{})
			return gomlxtest.Floats(t, logProb, err)
		}
		reported := 0
		many := of(nami.Draws(draws), nami.WithProgress(func(done, total int) {
			if done < reported || done > total {
				t.Errorf("%d of %d are done, and %d were before", done, total, reported)
			}
			reported = done
		}))
		one := of()
		// The log-density at -2 and 1 has a deviation of 0.45 over u, that at -1 and 0 of 0.15:
		// six deviations of a mean of 256 are 0.17, with a chance below 10⁻⁶ that one of 40 is
		// further off.
		gomlxtest.Near(t, "many draws", many, want, 0.17)
		spread := 0.0
		for i := range one {
			spread += (one[i] - want[i]) * (one[i] - want[i]) / n
		}
		if spread < 0.02 {
			t.Errorf("a single draw is off by %v, squared: is there noise?", spread)
		}
		again := of(nami.Draws(draws))
		gomlxtest.Near(t, "again", again, many, 1e-6)
	})
	_, err := gauss(4).Bind(gomlxtest.Go(t), model.NewStore(), doubles([]float64{0, 0}, 2), nami.Draws(0))
	gomlxtest.Says(t, "no draws", err, "Draws is 0")
}

// Densities aren't averaged over estimates of their logarithms, and without noise Draws costs
// nothing.
func TestDrawsWithoutNoise(t *testing.T) {
	backend := gomlxtest.Go(t)
	flow := nami.FlowMatching{
		Field: field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return Neg(x) }},
		Base:  distribution.NewStandardNormal(2), Solver: solver.Euler(3),
	}
	x := gomlxtest.Filled(0.5, 3, 2)
	calls := 0
	count := nami.WithProgress(func(done, total int) {
		if done == total {
			calls++
		}
	})
	process, err := flow.Bind(backend, model.NewStore(), nil, nami.Draws(100), count)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := process.LogProb(context.Background(), x, divergence.Exact{}); err != nil || calls != 1 || process.Noisy(divergence.Exact{}) || !process.Noisy(divergence.Hutchinson{}) {
		t.Errorf("there were %d solves (%v)", calls, err)
	}
	flow.Transform = transform.Dequantize{}
	if process, err = flow.Bind(backend, model.NewStore(), nil, nami.Draws(2)); err != nil {
		t.Fatal(err)
	}
	_, err = process.LogProb(context.Background(), gomlxtest.Filled(1, 3, 2), divergence.Hutchinson{})
	gomlxtest.Says(t, "Hutchinson", err, "Draws averages densities")
	gomlxtest.Says(t, "Hutchinson, before", process.CheckLogProb(divergence.Hutchinson{}), "Draws averages densities")
}

// A context whose values in the model's units are more than the dtype holds is refused, though no
// domain is left.
func TestInfiniteContext(t *testing.T) {
	flow := nami.FlowMatching{
		Field: field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return ZerosLike(x) }},
		Base:  distribution.NewStandardNormal(1), Solver: solver.Euler(1),
		ContextTransform: transform.Standardize{Mean: []float64{0}, Std: []float64{1e-30}},
	}
	_, err := flow.Bind(gomlxtest.Go(t), model.NewStore(), tensors.FromValue([]float32{1e20}))
	gomlxtest.Says(t, "a context", err, "1 of 1 values of the context in the model's units, (Float32)[1], are NaN or infinite, the first in row 0")
}

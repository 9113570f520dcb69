package nami_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// series takes steps of three values as its context: its velocity moves the base by minus
// their sum.
type series struct{}

func (series) EventRank() int   { return 1 }
func (series) ContextRank() int { return 2 }

func (series) Apply(_ *model.Scope, x, _, c *Node) *Node { return Neg(ReduceSum(c, -2)) }

// A context of any rank conditions a process: batches come before its axes, chunks cut
// them, and what doesn't fit is refused.
func TestContextsOfAnyRank(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx := context.Background()
		base, err := distribution.Isotropic(0, 1e-3, 2)
		if err != nil {
			t.Fatal(err)
		}
		flow := nami.FlowMatching{Field: series{}, Base: base, Solver: solver.Euler(2)}
		// Four conditions of three steps with two values, all of which are the condition's number.
		values := make([]float32, 4*3*2)
		for i := range values {
			values[i] = float32(i / 6)
		}
		c := tensors.FromFlatDataAndDimensions(values, 4, 3, 2)
		process, err := flow.Bind(backend, model.NewStore(), c, nami.ChunkSize(3))
		if err != nil {
			t.Fatal(err)
		}
		x, err := process.Sample(ctx, 5)
		sampled := gomlxtest.Floats(t, x, err)
		if got := fmt.Sprint(x.Shape().Dimensions); got != "[5 4 2]" {
			t.Fatalf("samples have the shape %s, expected [5 4 2]", got)
		}
		for i, v := range sampled { // the sum of three steps
			gomlxtest.Near(t, "sample", []float64{v}, []float64{3 * float64(i/2%4)}, 0.01)
		}
		if logProb, err := process.LogProb(ctx, x, divergence.Exact{}); err != nil || logProb.Rank() != 2 {
			t.Errorf("LogProb: %v, %v", logProb, err)
		}
		gradient, err := process.LogProbGradient(ctx, x, divergence.Exact{})
		if err != nil || !gradient.Context.Shape().Equal(c.Shape()) {
			t.Errorf("LogProbGradient: %v", err)
		}
		one, err := process.Rebind(tensors.FromFlatDataAndDimensions(values[6:12], 3, 2)) // one condition, no batch
		if err != nil {
			t.Fatal(err)
		}
		if x, err := one.Sample(ctx, 2); err != nil || fmt.Sprint(x.Shape().Dimensions) != "[2 2]" {
			t.Errorf("a single condition gives %v, %v", x, err)
		}
		_, err = process.Rebind(gomlxtest.Filled(1, 3))
		gomlxtest.Says(t, "a vector", err, "batch_shape+the 2 axes of a context")
		gomlxtest.Says(t, "Initialize", nami.Initialize(backend, model.NewStore(), series{}, []int{2}, []int{3}, 1), "the field takes contexts of rank 2")
	})
}

// towards moves the objects that there are to their mean.
type towards struct{}

func (towards) EventRank() int { return 2 }

func (f towards) Apply(scope *model.Scope, x, t, c *Node) *Node {
	return f.ApplyMasked(scope, x, t, c, OnesLike(ReduceSum(x, -1)))
}

func (towards) ApplyMasked(_ *model.Scope, x, _, _, mask *Node) *Node {
	n := MaxScalar(ReduceAndKeep(mask, ReduceSum, -1), 1)
	return Sub(x, Div(ReduceAndKeep(x, ReduceSum, -2), InsertAxes(n, -1)))
}

// A field that takes the mask is given it by a flow and by a diffusion, guided or not: two
// objects with padding move as they do without.
func TestFieldsTakeMasks(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx := context.Background()
		guidance := func(_ *model.Scope, _, _, _, eps *Node) *Node { return MulScalar(eps, 0.9) }
		for name, bind := range map[string]func(base distribution.Base) (*nami.Process, error){
			"flow": func(base distribution.Base) (*nami.Process, error) {
				return nami.FlowMatching{Field: towards{}, Base: base, Solver: solver.RK4(4)}.Bind(backend, model.NewStore(), nil)
			},
			"diffusion": func(base distribution.Base) (*nami.Process, error) {
				return nami.Diffusion{Field: towards{}, Schedule: schedule.VP{}, Solver: solver.Heun(4), Base: base}.Bind(backend, model.NewStore(), nil)
			},
			"guided diffusion": func(base distribution.Base) (*nami.Process, error) {
				return nami.Diffusion{Field: towards{}, Schedule: schedule.VP{}, Solver: solver.Heun(4), Base: base, Guidance: guidance}.Bind(backend, model.NewStore(), nil)
			},
		} {
			alone, err := bind(distribution.NewStandardNormal(2, 1))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			x, err := alone.SampleFrom(ctx, tensors.FromValue([][][]float32{{{1}, {5}}}))
			want := gomlxtest.Floats(t, x, err)
			padded, err := bind(distribution.NewStandardNormal(3, 1))
			if err == nil {
				padded, err = padded.Masked(tensors.FromValue([]float32{1, 1, 0}))
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			x, err = padded.SampleFrom(ctx, tensors.FromValue([][][]float32{{{1}, {5}, {7}}}))
			gomlxtest.Near(t, name, gomlxtest.Floats(t, x, err), append(want, 0), 1e-5)
		}
	})
}

package nami_test

import (
	"context"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// reversed is a field that has forgotten its divergence: reverse passes compute it.
type reversed struct{ field.Field }

// Log-densities by a network's own divergence are those by reverse passes: of flows, diffusions, with contexts and with a mask; and so are their
// derivatives, in compiled loops.
func TestLogProbByTangents(t *testing.T) {
	cases := []struct {
		name     string
		field    field.Field
		batch    []int // the contexts'
		unmasked bool
		model    func(f field.Field) builder
	}{
		{"flow", field.MLP{EventShape: []int{3, 2}, Hidden: []int{6, 5, 4}, ContextDim: 2}, []int{2}, false, func(f field.Field) builder {
			return nami.FlowMatching{Field: f, Base: distribution.NewStandardNormal(3, 2), Solver: solver.RK4(12)}
		}},
		{"diffusion", field.MLP{EventShape: []int{3, 2}, Hidden: []int{6, 5}}, nil, false, func(f field.Field) builder {
			return nami.Diffusion{Field: f, Schedule: schedule.VP{}, Prediction: schedule.V, Solver: solver.Heun(12), EventShape: []int{3, 2}}
		}},
		{"residual", field.Residual{EventShape: []int{3, 2}, Width: 6, Frequencies: 2, ContextDim: 2}, []int{2}, true, func(f field.Field) builder {
			return nami.FlowMatching{Field: f, Base: distribution.NewStandardNormal(3, 2), Solver: solver.RK4(12)}
		}},
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		all := cases
		if backends.Few(backend) {
			all = all[:1]
		}
		for _, tt := range all {
			ctx, store := context.Background(), model.NewStore()
			mask := doubles([]float64{1, 0, 1}, 3)
			var contexts *tensors.Tensor
			if tt.batch != nil {
				contexts, mask = doubles([]float64{0.3, -0.2, 1, 0.5}, 2, 2), doubles([]float64{1, 1, 0, 0, 1, 1}, 2, 3)
			}
			x := doubles([]float64{0.1, 0.4, -1, 0.3, 0.7, -0.2, 1.2, 0.5, -0.6, 0, 0.9, -1.1}, 2, 3, 2)
			if err := store.SetRNGStateFromSeed(4); err != nil {
				t.Fatal(err)
			}
			if _, err := model.CallOnce(backend, store, func(scope *model.Scope, in []*Node) *Node {
				var c *Node
				if len(in) > 1 {
					c = in[1]
				}
				return Neg(field.Call(tt.field, scope, in[0], ConstAs(in[0], 0.5), c))
			}, with(x, contexts)...); err != nil {
				t.Fatal(err)
			}
			bind := func(f field.Field, options ...nami.Option) *nami.Process {
				p, err := tt.model(f).Bind(backend, store, contexts, append(options, nami.DType(dtypes.Float64))...)
				if err != nil {
					t.Fatal(err)
				}
				return p
			}
			compare := func(what string, own, reverse *nami.Process) {
				want, err := reverse.LogProb(ctx, x, divergence.Exact{})
				reference := gomlxtest.Floats(t, want, err)
				got, err := own.LogProb(ctx, x, divergence.Exact{})
				gomlxtest.Near(t, tt.name+", "+what, gomlxtest.Floats(t, got, err), reference, 1e-9)
				_, err = own.LogProb(ctx, x, nil)
				gomlxtest.Says(t, "no estimator", err, "doesn't know its divergence in closed form")
				a, err := own.LogProbGradient(ctx, x, divergence.Exact{})
				if err != nil {
					t.Fatal(err)
				}
				b, err := reverse.LogProbGradient(ctx, x, divergence.Exact{})
				if err != nil {
					t.Fatal(err)
				}
				gomlxtest.Near(t, tt.name+", "+what+", by x", gomlxtest.Floats(t, a.X, nil), gomlxtest.Floats(t, b.X, nil), 1e-8)
				for path, g := range a.Variables {
					gomlxtest.Near(t, tt.name+", "+what+", by "+path, gomlxtest.Floats(t, g, nil), gomlxtest.Floats(t, b.Variables[path], nil), 1e-8)
				}
			}
			own, reverse := bind(tt.field), bind(reversed{tt.field})
			compare("whole", own, reverse)
			if !tt.unmasked {
				ownMasked, err := own.Masked(mask)
				if err != nil {
					t.Fatal(err)
				}
				reverseMasked, err := reverse.Masked(mask)
				if err != nil {
					t.Fatal(err)
				}
				compare("masked", ownMasked, reverseMasked)
			}
			_, err := own.LogProb(ctx, x, divergence.Exact{MaxSize: 5})
			gomlxtest.Says(t, "MaxSize", err, "6 values, more than MaxSize 5")
		}
	})
}

// with are arguments of a graph, without those that are nil.
func with(given ...*tensors.Tensor) (args []any) {
	for _, t := range given {
		if t != nil {
			args = append(args, t)
		}
	}
	return args
}

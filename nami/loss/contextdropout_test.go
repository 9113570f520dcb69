package loss_test

import (
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/schedule"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Contexts are dropped at the rate that was asked for, others at each step, and each as a whole:
// an event sees its own context or the null context, which is 0 at first and learns.
func TestContextDropout(t *testing.T) {
	const n = 20_000
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, rate := range []float64{0, 0.3} {
			store := model.NewStore()
			if err := store.SetRNGStateFromSeed(1); err != nil {
				t.Fatal(err)
			}
			out, err := model.CallOnceN(backend, store, func(scope *model.Scope, g *Graph) (out []*Node) {
				var seen *Node
				f := field.Func{Rank: 1, F: func(_ *model.Scope, x, _, c *Node) *Node {
					seen = c
					return c
				}}
				l := loss.ContextDropout{Of: loss.FM{Field: f}, Rate: rate}
				b := loss.Batch{X: Zeros(g, shapes.Make(dtypes.Float64, n, 2)), Context: Ones(g, shapes.Make(dtypes.Float64, n, 2))}
				for range 2 {
					value := l.Loss(scope.ResetVisited(), b)
					out = append(out, seen)
					null := scope.ResetVisited().GetVariable("null_context").NodeValue(g)
					out = append(out, Gradient(value, null)[0])
				}
				return out
			})
			if err != nil {
				t.Fatal(err)
			}
			first, second := tensors.MustCopyFlatData[float64](out[0]), tensors.MustCopyFlatData[float64](out[2])
			dropped, same := 0.0, 0.0
			for i := 0; i < len(first); i += 2 {
				if first[i] != first[i+1] || first[i] != 0 && first[i] != 1 {
					t.Fatalf("event %d sees the context %v: expected (0, 0) or (1, 1)", i/2, first[i:i+2])
				}
				if first[i] == 0 {
					dropped++
					if second[i] == 0 {
						same++
					}
				}
			}
			want := max(rate, 0.1)
			if rate == 0.3 {
				want = 0.3
			}
			// Five deviations of binomial counts: false alarms once in a million.
			gomlxtest.Close(t, "the share that is dropped", dropped/n, want, 5*math.Sqrt(want*(1-want)/n))
			gomlxtest.Close(t, "the share that is dropped in both steps", same/n, want*want, 5*want/math.Sqrt(n))
			for _, d := range tensors.MustCopyFlatData[float64](out[1]) {
				if d == 0 {
					t.Error("the null context doesn't learn")
				}
			}
		}
	})
}

// A loss that no context can be dropped from is an error that teaches.
func TestBadContextDropout(t *testing.T) {
	fm := loss.FM{Field: field.MLP{EventShape: []int{1}, Hidden: []int{2}, ContextDim: 1}}
	backend := gomlxtest.Go(t)
	for want, l := range map[string]loss.ContextDropout{
		"Of is nil":                 {},
		"Rate is 1":                 {Of: fm, Rate: 1},
		"Rate is -0.5":              {Of: fm, Rate: -0.5},
		"doesn't tell which field":  {Of: loss.FM{}},
		"whose contexts are in the": {Of: loss.Transformed{Of: fm}},
		"loss.NLL, whose contexts":  {Of: loss.NLL{Flow: nami.FlowMatching{Field: fm.Field}}},
		"the batch has no contexts": {Of: fm},
		"the schedule is nil":       {Of: loss.Denoising{Field: schedule.Preconditioned{Field: fm.Field}}},
	} {
		_, err := model.CallOnce(backend, model.NewStore(), func(scope *model.Scope, in []*Node) *Node {
			return l.Loss(scope, loss.Batch{X: in[0]})
		}, tensors.FromValue([][]float32{{1}}))
		gomlxtest.Says(t, want, err, want)
	}
}

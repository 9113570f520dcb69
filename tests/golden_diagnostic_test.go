package tests

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/diagnostic"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Statistics of the fields' norms and divergences, and of the way to the noise and back.
func TestGoldenDiagnostics(t *testing.T) {
	g := readGolden(t, "diagnostics")
	if len(g.Cases) != 42 {
		t.Fatalf("%d cases, expected 42", len(g.Cases))
	}
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		for i, c := range g.Cases {
			if thin(backend, i) {
				continue
			}
			t.Run(c.Name, func(t *testing.T) {
				for _, dtype := range bothDTypes {
					name, _ := get[string](t, c.Inputs, "field")
					f, store := g.Networks[name].load(t, dtype)
					x, context := tensorOf(t, c.Inputs, "x", dtype), tensorOf(t, c.Inputs, "c", dtype)
					if c.Op == "reversibility_error" {
						goldenReversibility(t, backend, c, dtype, x, context, nami.FlowMatching{Field: f}, f.EventShape, store)
						continue
					}
					lead := x.Shape().Dimensions[:x.Rank()-len(f.EventShape)]
					at := filled(tensorOf(t, c.Inputs, "t", dtype), lead)
					norm, err := diagnostic.Norm(backend, store, f, x, at, context)
					if err != nil {
						t.Fatal(err)
					}
					agreeStats(t, "the field", norm, c.Expected["field_stats"], tolerance(dtype))
					div, err := diagnostic.Divergence(backend, store, f, x, at, context, divergence.Exact{}, 0)
					if err != nil {
						t.Fatal(err)
					}
					agreeStats(t, "the divergence", div, c.Expected["divergence_stats"], tolerance(dtype))
				}
			})
		}
	})
}

// filled repeats what has the inner lead axes only over the outer ones; a scalar stays.
func filled(t *tensors.Tensor, lead []int) *tensors.Tensor {
	if t.IsScalar() || slices.Equal(t.Shape().Dimensions, lead) {
		return t
	}
	var flat []float64
	for range lead[0] {
		flat = append(flat, toFloats(t)...)
	}
	return fromFloats(flat, lead, t.DType())
}

func goldenReversibility(t *testing.T, backend compute.Backend, c goldenCase, dtype dtypes.DType, x, c0 *tensors.Tensor, flow nami.FlowMatching, shape []int, store *model.Store) {
	t.Helper()
	method, _ := get[string](t, c.Inputs, "solver")
	steps, _ := get[int](t, c.Inputs, "steps")
	flow.Base, flow.Solver = distribution.NewStandardNormal(shape...), solverOf(method, steps)
	process, err := flow.Bind(backend, store, c0, nami.DType(dtype))
	if err != nil {
		t.Fatal(err)
	}
	got, err := diagnostic.Reversibility(context.Background(), process, x)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(c.Expected)
	if err != nil {
		t.Fatal(err)
	}
	agreeStats(t, "the reversibility error", got, raw, tolerance(dtype))
}

// agreeStats compares those statistics that are expected.
func agreeStats(t *testing.T, what string, got diagnostic.Stats, raw json.RawMessage, tol float64) {
	t.Helper()
	var want map[string]float64
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{"mean": got.Mean, "std": got.Std, "min": got.Min, "max": got.Max}
	for name, w := range want {
		if !(math.Abs(values[name]-w) <= tol*math.Max(1, math.Abs(want["max"]))) {
			t.Errorf("%s: %s is %v, expected %v", what, name, values[name], w)
		}
	}
	if len(want) < 3 {
		t.Errorf("%s: only %v is expected", what, want)
	}
}

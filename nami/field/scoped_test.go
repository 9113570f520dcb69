package field_test

import (
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Two scoped networks of one store have variables of their own, where they are expected.
func TestScoped(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		mlp := field.MLP{EventShape: []int{2}, Hidden: []int{3}}
		store := model.NewStore()
		out, err := model.CallOnceN(backend, store, func(scope *model.Scope, x, at *Node) []*Node {
			a, b := field.Scoped{Scope: "velocity", Field: mlp}, field.Scoped{Scope: "100%", Field: mlp}
			return []*Node{call(a, x, at, nil, scope), call(b, x, at, nil, scope), call(a, x, at, nil, scope)}
		}, [][]float32{{1, 2}}, []float32{0.5})
		if err != nil {
			t.Fatal(err)
		}
		if !out[0].Equal(out[2]) || out[0].Equal(out[1]) {
			t.Errorf("the fields give %v, %v and %v: the first and the last are one", out[0], out[1], out[2])
		}
		for _, path := range []string{"/velocity/mlp/layer_0/dense/weights", "/100%/mlp/layer_0/dense/weights"} {
			if store.GetVariable(path) == nil {
				t.Errorf("there is no variable %s", path)
			}
		}
	})
}

func TestValidate(t *testing.T) {
	mlp := field.MLP{EventShape: []int{2}}
	if err := field.Validate(field.Scoped{Scope: "a", Field: mlp}); err != nil {
		t.Error(err)
	}
	for want, f := range map[string]field.Field{
		"the field is nil: give a network": field.Scoped{Scope: "a"},
		"Scope is empty: give the scope":   field.Scoped{Field: mlp},
		"the field is nil":                 nil,
	} {
		err := field.Validate(f)
		gomlxtest.Says(t, "field.Validate", err, want)
	}
}

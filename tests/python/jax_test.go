//go:build slow

package python

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/modelfile"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/transform"
	"github.com/nami-flow/go-nami/tests/internal/checkout"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// The program in docs/other-languages.md, as it stands there, reads models' files and gives the
// velocity to 1e-5 and samples to 1e-4.
func TestJAX(t *testing.T) {
	python := checkout.Python(t, "python", "requirements.txt", "jax")
	c := newCases(t)
	c.check(os.WriteFile(filepath.Join(c.folder, "flow.py"), []byte(program(t, `"""A flow of nami's in JAX`)), 0o644))
	for _, m := range []struct {
		name    string
		field   field.MLP
		solver  solver.Solver
		context []int
		units   transform.Transform
	}{
		{name: "plain", field: plain, solver: solver.RK4(64)},
		{name: "conditional", field: conditional, solver: solver.Heun(32), context: []int{3}},
		{name: "standardized", field: conditional, solver: solver.RK4(20), context: []int{3}, units: transform.Standardize{Mean: []float64{100, -3}, Std: []float64{20, 0.5}}},
		{name: "activation", field: field.MLP{EventShape: []int{2, 2}, Hidden: []int{16}, Activation: activation.TypeGelu}, solver: solver.RK4(20)},
	} {
		c.jax(m.name, m.field, m.solver, m.context, m.units)
	}
	adaptive := nami.FlowMatching{Field: plain, Base: distribution.NewStandardNormal(2), Solver: solver.Dopri5(1e-5, 1e-5)}
	c.check(modelfile.Save(filepath.Join(c.folder, "unknown.safetensors"), modelfile.File{Model: adaptive, Store: c.store(plain, []int{2}, nil)}))
	c.run(python, "test_jax.py", "4 models passed\na model of another kind is refused")
}

// jax makes the folder of a case: a flow's file, and what it computes.
func (c *cases) jax(name string, f field.MLP, s solver.Solver, contextShape []int, units transform.Transform) {
	c.t.Helper()
	dir := filepath.Join(c.folder, name)
	c.check(os.Mkdir(dir, 0o755))
	flow := nami.FlowMatching{Field: f, Base: distribution.NewStandardNormal(f.EventShape...), Solver: s, Transform: units}
	if units != nil {
		flow.ContextTransform = contexts
	}
	process, in := c.bind(sampler{model: flow, field: f, event: f.EventShape, context: contextShape})
	store := c.store(f, f.EventShape, contextShape)
	c.check(modelfile.Save(filepath.Join(dir, "model.safetensors"), modelfile.File{Model: flow, Store: store}))
	noise := c.normals(6, append([]int{rows}, f.EventShape...)...)
	samples, err := process.SampleFrom(context.Background(), noise)
	c.check(err)
	arrays := append(in, array{"noise", noise}, array{"samples", samples})
	for _, at := range []string{"0.0", "0.3", "1.0"} {
		var t float32
		_, err := fmt.Sscan(at, &t)
		c.check(err)
		given := []*tensors.Tensor{noise, tensors.FromScalar(t)}
		for _, a := range in {
			given = append(given, a.t)
		}
		velocity, err := nami.NewComputation(c.backend, store, func(scope *model.Scope, in []*Node) []*Node {
			var context *Node
			if len(in) > 2 {
				context = in[2]
			}
			return []*Node{field.Call(f, scope, in[0], in[1], context)}
		})
		c.check(err)
		v, err := velocity.Call(given...)
		c.check(err)
		arrays = append(arrays, array{"velocity_" + at, v[0]})
	}
	for _, a := range arrays {
		c.check(writeArray(filepath.Join(dir, a.name+".npy"), a.t))
	}
}

package fingerprint_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/fingerprint"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/schedule"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// code is the fingerprint of what f makes of one input.
func code(t *testing.T, backend compute.Backend, f func(scope *model.Scope, x *Node) *Node) fingerprint.Code {
	t.Helper()
	store := model.NewStore()
	c, err := fingerprint.OfGraph(backend, store, func(g *Graph) []*Node {
		return []*Node{f(store.RootScope(), Parameter(g, "x", shapes.Make(dtypes.Float32, 8, 2)))}
	})
	if err != nil {
		t.Fatal(err)
	}
	if store.NumVariables() != 0 {
		t.Errorf("%d variables were left in the store", store.NumVariables())
	}
	return c
}

// Any edit that changes what is computed changes the hash, and is named; one that doesn't
// leaves it, and so does the backend.
func TestCodeKnowsEdits(t *testing.T) {
	table := func(at int, v float32) []float32 {
		values := make([]float32, 64) // GoMLX's nodes keep the values of fewer
		values[at] = v
		return values
	}
	add := func(values []float32) func(*model.Scope, *Node) *Node {
		return func(_ *model.Scope, x *Node) *Node {
			return Add(ReduceAllSum(x), ReduceAllSum(Const(x.Graph(), values)))
		}
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		base := code(t, backend, func(scope *model.Scope, x *Node) *Node { return layers.DenseWithBias(scope.In("a"), x, 2) })
		for want, f := range map[string]func(scope *model.Scope, x *Node) *Node{
			"": func(scope *model.Scope, x *Node) *Node {
				_ = Sin(x) // which nothing depends on
				return layers.DenseWithBias(scope.In("a"), x, 2)
			},
			"1 Sin and not 0":      func(scope *model.Scope, x *Node) *Node { return layers.DenseWithBias(scope.In("a"), Sin(x), 2) },
			"the variables /b/":    func(scope *model.Scope, x *Node) *Node { return layers.DenseWithBias(scope.In("b"), x, 2) },
			"(Float32)[2, 3], tra": func(scope *model.Scope, x *Node) *Node { return layers.DenseWithBias(scope.In("a"), x, 3) },
		} {
			differs := code(t, backend, f).Differs(base)
			if want == "" && differs != "" || !strings.Contains(differs, want) {
				t.Errorf("the difference is %q, expected %q", differs, want)
			}
		}
		for name, pair := range map[string][2]func(*model.Scope, *Node) *Node{
			"a number": {
				func(_ *model.Scope, x *Node) *Node { return MulScalar(x, 0.1) },
				func(_ *model.Scope, x *Node) *Node { return MulScalar(x, 0.10001) },
			},
			"a number of a large constant": {add(table(40, 1)), add(table(40, 1.0001))},
			"the order of inputs": {
				func(_ *model.Scope, x *Node) *Node { return Sub(x, Sin(x)) },
				func(_ *model.Scope, x *Node) *Node { return Sub(Sin(x), x) },
			},
			"an axis": {
				func(_ *model.Scope, x *Node) *Node { return ReduceSum(Mul(x, x), 0) },
				func(_ *model.Scope, x *Node) *Node { return ReduceSum(Mul(x, x), 1) },
			},
			"the axis of a sort": {
				func(_ *model.Scope, x *Node) *Node { return Sort(x, 0, true) },
				func(_ *model.Scope, x *Node) *Node { return Sort(x, 1, true) },
			},
			"the order of a sort": {
				func(_ *model.Scope, x *Node) *Node { return Sort(x, 0, true) },
				func(_ *model.Scope, x *Node) *Node { return Sort(x, 0, false) },
			},
			"a stopped gradient": {
				func(_ *model.Scope, x *Node) *Node { return Sin(x) },
				func(_ *model.Scope, x *Node) *Node { return StopGradient(Sin(x)) },
			},
		} {
			a, again, b := code(t, backend, pair[0]), code(t, backend, pair[0]), code(t, backend, pair[1])
			if a.Hash != again.Hash || a.Differs(again) != "" {
				t.Errorf("%s: the same code has two hashes", name)
			}
			if b.Differs(a) == "" {
				t.Errorf("%s: an edit isn't seen", name)
			}
		}
	})
}

// The hash of the loss of a network, with its gradient, is the same in every process and
// on every backend.
func TestCodeInAnotherProcess(t *testing.T) {
	backend := gomlxtest.Go(t)
	hash := func(backend compute.Backend) string {
		l := loss.FM{Field: field.MLP{EventShape: []int{2}}}
		return code(t, backend, func(scope *model.Scope, x *Node) *Node {
			value := l.Loss(scope, loss.Batch{X: x})
			for _, gradient := range scope.BuildTrainableVariablesGradientsGraph(value) {
				value = Add(value, ReduceAllSum(gradient))
			}
			return value
		}).Hash
	}
	if os.Getenv("NAMI_TEST_HASH") != "" {
		fmt.Println("hash", hash(backend))
		return
	}
	command := exec.Command(os.Args[0], "-test.run=^TestCodeInAnotherProcess$")
	command.Env = append(os.Environ(), "NAMI_TEST_HASH=yes")
	out, err := command.CombinedOutput()
	if want := "hash " + hash(gomlxtest.XLA(t)); err != nil || !strings.Contains(string(out), want) {
		t.Errorf("another process has %s (%v), this one %s", out, err, want)
	}
}

// trained is a store that holds f's weights, and knows so.
func trained(t testing.TB, backend compute.Backend, f field.Field, context []int) *model.Store {
	t.Helper()
	store := model.NewStore()
	_, err := model.CallOnce(backend, store, func(scope *model.Scope, x *Node) *Node {
		var c *Node
		if context != nil {
			c = Zeros(x.Graph(), shapes.Make(dtypes.Float32, append([]int{1}, context...)...))
		}
		return field.Call(f, scope, x, Scalar(x.Graph(), dtypes.Float32, 0.5), c)
	}, gomlxtest.Filled(1, 1, 2))
	if err != nil {
		t.Fatal(err)
	}
	kept, ok, err := fingerprint.OfField(backend, store, f, []int{2}, context, dtypes.Float32)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if err := fingerprint.AddField(store, kept.Variables, &kept); err != nil {
		t.Fatal(err)
	}
	return store
}

// guided calls its field twice, as guidance does.
type guided struct{ field.Field }

func (g guided) Apply(scope *model.Scope, x, t, c *Node) *Node {
	with := g.Field.Apply(scope.ResetVisited(), x, t, c)
	without := g.Field.Apply(scope.ResetVisited(), x, t, ZerosLike(c))
	return Sub(MulScalar(with, 3), MulScalar(without, 2))
}

// joined calls its field once, on two batches in one.
type joined struct{ field.Field }

func (g joined) Apply(scope *model.Scope, x, t, c *Node) *Node {
	twice := func(n *Node) *Node { return Concatenate([]*Node{n, n}, 0) }
	v := g.Field.Apply(scope.ResetVisited(), twice(x), twice(t), Concatenate([]*Node{c, ZerosLike(c)}, 0))
	n := x.Shape().Dim(0)
	return Add(Slice(v, AxisRange(0, n)), Slice(v, AxisRange(n)))
}

// A store's weights are for the field that was trained, and for what wraps it; and for
// others not, where shapes agree in all that there is.
func TestCheck(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		mlp := field.MLP{EventShape: []int{2}, Hidden: []int{16, 16}, ContextDim: 3}
		store := trained(t, backend, mlp, []int{3})
		before := store.NumVariables()
		relu, features, edited := mlp, mlp, mlp
		relu.Activation = activation.TypeRelu
		features.ContextDim, features.TimeFeatures = 2, 2
		edited.Hidden = nil
		function := func(f func(x, v *Node) *Node) field.Func {
			return field.Func{Rank: 1, F: func(scope *model.Scope, x, t, c *Node) *Node { return f(x, mlp.Apply(scope, x, t, c)) }}
		}
		embedded := field.Func{Rank: 1, F: func(scope *model.Scope, x, t, c *Node) *Node {
			three := Concatenate([]*Node{c, Slice(c, AxisRange(), AxisRange(0, 1))}, -1)
			return mlp.Apply(scope, x, t, three)
		}}
		for _, c := range []struct {
			name    string
			f       field.Field
			context []int
			want    string
		}{
			{"itself", mlp, []int{3}, ""},
			{"with its defaults written out", field.MLP{EventShape: []int{2}, Hidden: []int{16, 16}, ContextDim: 3, Activation: activation.TypeSilu}, []int{3}, ""},
			{"converted", schedule.Converted{Field: mlp, Schedule: schedule.VP{}, From: schedule.Eps, To: schedule.Velocity}, []int{3}, ""},
			{"guided", guided{mlp}, []int{3}, ""},
			{"guided in one call", joined{mlp}, []int{3}, ""},
			{"of a context that it makes itself", embedded, []int{2}, ""},
			{"a function of its value", function(func(x, v *Node) *Node { return Add(v, x) }), []int{3}, ""},
			{"other variables", field.Scoped{Scope: "other", Field: relu}, []int{3}, ""},
			{"ReLU", relu, []int{3}, "they were trained as field.MLP MLP{event (2), hidden [16 16], context 3, time features 0, Silu}, and the model has field.MLP MLP{event (2), hidden [16 16], context 3, time features 0, Relu}"},
			{"another order of inputs", features, []int{2}, "with contexts of shape (3), and here of (2)"},
			{"ReLU, wrapped", guided{relu}, []int{3}, "and not"},
			{"edited", edited, []int{3}, ""}, // its shapes don't agree, which binding says
		} {
			err := fingerprint.Check(backend, store, c.f, fingerprint.Model{}, []int{2}, c.context, dtypes.Float32)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%s: got %v, expected %q", c.name, err, c.want)
			}
		}
		if store.NumVariables() != before {
			t.Errorf("the store has %d variables, and had %d", store.NumVariables(), before)
		}
		if err := fingerprint.Check(backend, model.NewStore(), relu, fingerprint.Model{}, []int{2}, []int{3}, dtypes.Float32); err != nil {
			t.Errorf("a store that knows nothing: %v", err)
		}
		if err := fingerprint.AddField(store, []string{"/mlp/layer_0/dense/weights"}, nil); err != nil {
			t.Fatal(err)
		}
		if err := fingerprint.Check(backend, store, relu, fingerprint.Model{}, []int{2}, []int{3}, dtypes.Float32); err != nil {
			t.Errorf("weights that were trained by what isn't known: %v", err)
		}
	})
}

// An edit of a function, which prints as before, is found in its graph.
func TestCheckOfFunctions(t *testing.T) {
	backend := gomlxtest.Go(t)
	f := func(gain float64) field.Func {
		return field.Func{Rank: 1, F: func(scope *model.Scope, x, _, _ *Node) *Node {
			return MulScalar(layers.DenseWithBias(scope.In("a"), x, 2), gain)
		}}
	}
	store := trained(t, backend, f(1), nil)
	if err := fingerprint.Check(backend, store, f(1), fingerprint.Model{}, []int{2}, nil, dtypes.Float32); err != nil {
		t.Error(err)
	}
	err := fingerprint.Check(backend, store, f(1.5), fingerprint.Model{}, []int{2}, nil, dtypes.Float32)
	gomlxtest.Says(t, "another gain", err, "prints the same, but is another; the same operations")
}

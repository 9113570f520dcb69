package loop_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/internal/loop"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

func run(t *testing.T, p *loop.Program, n int, start ...float64) []float64 {
	t.Helper()
	factor := tensors.FromScalar(1.5)
	out, err := p.Run(context.Background(), n, []*tensors.Tensor{tensors.FromFlatDataAndDimensions(start, len(start))}, []*tensors.Tensor{factor}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float64](out[0])
}

// step is x ← factor·x + i + w, with a variable w = 2.
func step(scope *model.Scope, i *Node, state, fixed []*Node) []*Node {
	w := scope.VariableWithValue("w", 2.0).NodeValue(i.Graph())
	return []*Node{Add(Add(Mul(state[0], fixed[0]), ConvertDType(i, state[0].DType())), w)}
}

func want(n int, x float64) float64 {
	for i := range n {
		x = 1.5*x + float64(i) + 2
	}
	return x
}

// One program serves any number of steps: the body is built as often for one count as
// for three.
func TestStepsAreNotPartOfTheProgram(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		builds := 0
		p := loop.New(backend, model.NewStore(), 1, func(scope *model.Scope, i *Node, state, fixed []*Node) []*Node {
			builds++
			return step(scope, i, state, fixed)
		})
		first := 0
		for _, n := range []int{1, 3, 20} {
			got := run(t, p, n, 1, -2)
			if got[0] != want(n, 1) || got[1] != want(n, -2) {
				t.Errorf("%d steps give %v, expected %v and %v", n, got, want(n, 1), want(n, -2))
			}
			if first == 0 {
				first = builds
			}
		}
		if builds != first {
			t.Errorf("the body was built %d times for three counts and %d times for one", builds, first)
		}
	})
}

// A loop carries the variables that its body changes, from step to step and to the
// next call, and leaves the others alone.
func TestChangedVariablesAreCarried(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		store := model.NewStore()
		exec, err := model.NewExec(backend, store, func(scope *model.Scope, in []*Node) []*Node {
			first := Const(in[0].Graph(), int32(0))
			sum, _ := loop.Steps(scope, first, in[0], in[1:], nil, func(scope *model.Scope, _ *Node, sum, _ []*Node) []*Node {
				factor := scope.VariableWithValue("factor", 2.0).NodeValue(sum[0])
				power := scope.VariableWithValue("power", 1.0)
				power.SetNodeValue(Mul(power.NodeValue(sum[0]), factor))
				return []*Node{Add(sum[0], power.NodeValue(sum[0]))}
			})
			return sum
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			n    int32
			want float64
		}{{3, 2 + 4 + 8}, {0, 0}, {2, 16 + 32}} {
			out, err := exec.Call(c.n, 0.0)
			if err != nil {
				t.Fatal(err)
			}
			if got := tensors.ToScalar[float64](out[0]); got != c.want {
				t.Errorf("%d steps sum to %v, expected %v", c.n, got, c.want)
			}
		}
	})
}

// A sort can't stand in a compiled loop: then the host drives, with the same numbers.
func TestFallsBackToTheHost(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		p := loop.New(backend, model.NewStore(), 1, func(scope *model.Scope, i *Node, state, fixed []*Node) []*Node {
			return []*Node{Sort(step(scope, i, state, fixed)[0], 0, true)}
		})
		for range 2 {
			got := run(t, p, 5, 3, -1)
			if got[0] != want(5, -1) || got[1] != want(5, 3) {
				t.Errorf("got %v, expected %v and %v", got, want(5, -1), want(5, 3))
			}
		}
	})
}

// More shapes than are kept compiled are only slower.
func TestManyShapes(t *testing.T) {
	p := loop.New(gomlxtest.Go(t), model.NewStore(), 1, step)
	for range 2 {
		for size := 1; size <= 20; size++ {
			if got := run(t, p, 2, make([]float64, size)...); len(got) != size || got[size-1] != want(2, 0) {
				t.Fatalf("size %d: got %v", size, got)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	backend := gomlxtest.Go(t)
	state := func() []*tensors.Tensor { return []*tensors.Tensor{tensors.FromFlatDataAndDimensions([]float64{1}, 1)} }
	changing := loop.New(backend, model.NewStore(), 1, func(scope *model.Scope, i *Node, state, _ []*Node) []*Node {
		w := scope.VariableWithValue("w", 2.0)
		w.SetNodeValue(Add(w.NodeValue(i.Graph()), ConstAs(w.NodeValue(i.Graph()), 1)))
		return state
	})
	if _, err := changing.Run(context.Background(), 2, state(), nil, nil); err == nil || !strings.Contains(err.Error(), "/w changes during a step") {
		t.Errorf("got %v, expected an error that names the variable", err)
	}

	ctx, cancel := context.WithCancelCause(context.Background())
	enough := errors.New("enough")
	slow := loop.New(backend, model.NewStore(), 1, step)
	_, err := slow.Run(ctx, 1_000_000_000, state(), []*tensors.Tensor{tensors.FromScalar(0.5)}, func(done, _ int) {
		if done > 1 {
			cancel(enough)
		}
	})
	if !errors.Is(err, enough) || !strings.Contains(err.Error(), "of 1000000000 steps") {
		t.Errorf("got %v, expected the cause and how far it came", err)
	}
}

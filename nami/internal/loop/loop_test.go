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
	out, done, err := p.Run(context.Background(), n, []*tensors.Tensor{tensors.FromFlatDataAndDimensions(start, len(start))}, []*tensors.Tensor{factor}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if done != n {
		t.Errorf("%d steps were made, expected %d", done, n)
	}
	return tensors.MustCopyFlatData[float64](out[0])
}

// step is x ← factor·x + i + w, with a variable w = 2.
func step(scope *model.Scope, i *Node, state, fixed []*Node) ([]*Node, *Node) {
	w := scope.VariableWithValue("w", 2.0).NodeValue(i.Graph())
	return []*Node{Add(Add(Mul(state[0], fixed[0]), ConvertDType(i, state[0].DType())), w)}, nil
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
		p := loop.New(backend, model.NewStore(), func(scope *model.Scope, i *Node, state, fixed []*Node) ([]*Node, *Node) {
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
			sum, _, _ := loop.Steps(scope, first, in[0], in[1:], nil, func(scope *model.Scope, _ *Node, sum, _ []*Node) ([]*Node, *Node) {
				factor := scope.VariableWithValue("factor", 2.0).NodeValue(sum[0])
				power := scope.VariableWithValue("power", 1.0)
				power.SetNodeValue(Mul(power.NodeValue(sum[0]), factor))
				return []*Node{Add(sum[0], power.NodeValue(sum[0]))}, nil
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
		p := loop.New(backend, model.NewStore(), func(scope *model.Scope, i *Node, state, fixed []*Node) ([]*Node, *Node) {
			next, _ := step(scope, i, state, fixed)
			return []*Node{Sort(next[0], 0, true)}, nil
		})
		for range 2 {
			got := run(t, p, 5, 3, -1)
			if got[0] != want(5, -1) || got[1] != want(5, 3) {
				t.Errorf("got %v, expected %v and %v", got, want(5, -1), want(5, 3))
			}
		}
	})
}

// A body that needs no more steps ends the loop, compiled or not.
func TestMore(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, onHost := range []bool{false, true} {
			p := loop.New(backend, model.NewStore(), func(_ *model.Scope, i *Node, state, fixed []*Node) ([]*Node, *Node) {
				x := Mul(state[0], fixed[0])
				if onHost {
					x = Sort(x, 0, true)
				}
				return []*Node{x}, LogicalAny(LessThan(x, ConstAs(x, 100)))
			})
			for _, start := range []float64{1, 1000} {
				x := tensors.FromFlatDataAndDimensions([]float64{start, 2 * start}, 2)
				out, done, err := p.Run(context.Background(), 1000, []*tensors.Tensor{x}, []*tensors.Tensor{tensors.FromScalar(2.0)}, nil)
				if err != nil {
					t.Fatal(err)
				}
				want := map[float64]int{1: 7, 1000: 1}[start]
				if got := tensors.MustCopyFlatData[float64](out[0])[0]; done != want || got != start*float64(int(1)<<want) {
					t.Errorf("from %g: %d steps to %g, expected %d", start, done, got, want)
				}
			}
		}
	})
}

// More shapes than are kept compiled are only slower.
func TestManyShapes(t *testing.T) {
	p := loop.New(gomlxtest.Go(t), model.NewStore(), step)
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
	changing := loop.New(backend, model.NewStore(), func(scope *model.Scope, i *Node, state, _ []*Node) ([]*Node, *Node) {
		w := scope.VariableWithValue("w", 2.0)
		w.SetNodeValue(Add(w.NodeValue(i.Graph()), ConstAs(w.NodeValue(i.Graph()), 1)))
		return state, nil
	})
	if _, _, err := changing.Run(context.Background(), 2, state(), nil, nil); err == nil || !strings.Contains(err.Error(), "/w changes during a step") {
		t.Errorf("got %v, expected an error that names the variable", err)
	}

	ctx, cancel := context.WithCancelCause(context.Background())
	enough := errors.New("enough")
	slow := loop.New(backend, model.NewStore(), step)
	_, _, err := slow.Run(ctx, 1_000_000_000, state(), []*tensors.Tensor{tensors.FromScalar(0.5)}, func(done int, _ []*tensors.Tensor) {
		if done > 1 {
			cancel(enough)
		}
	})
	if !errors.Is(err, enough) || !strings.Contains(err.Error(), "of 1000000000 steps") {
		t.Errorf("got %v, expected the cause and how far it came", err)
	}
}

package diagnostic_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/diagnostic"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// swinging is dx/dt = (1 + 3·cos 2t)·x + c, whose divergence in the plane is 2 + 6·cos 2t.
var swinging = field.Func{Rank: 1, F: func(_ *model.Scope, x, t, c *Node) *Node {
	v := Mul(shape.Lift(AddScalar(MulScalar(Cos(MulScalar(t, 2)), 3), 1), x), x)
	if c != nil {
		v = Add(v, c)
	}
	return v
}}

// growing is dx/dt = x.
var growing = field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return x }}

func bind(t *testing.T, backend compute.Backend, f field.Field, s solver.Solver) *nami.Process {
	t.Helper()
	process, err := nami.FlowMatching{Field: f, Base: distribution.NewStandardNormal(2), Solver: s}.
		Bind(backend, model.NewStore(), nil, nami.DType(dtypes.Float64))
	if err != nil {
		t.Fatal(err)
	}
	return process
}

// The context is repeated over the outer axes of the lead, and t has one value for each
// event or one for all.
func TestNormAndDivergence(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		x := tensors.FromValue([][][]float64{{{3, 4}, {0, 0}}, {{6, 8}, {-3, -4}}})
		at := tensors.FromValue(math.Pi / 4) // cos 2t = 0
		got, err := diagnostic.Norm(backend, nil, swinging, x, at, tensors.FromValue([][]float64{{0, 0}, {3, 4}}))
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range map[string][2]float64{"mean": {got.Mean, 5}, "min": {got.Min, 0}, "max": {got.Max, 10}, "std": {got.Std, math.Sqrt(12.5)}} {
			gomlxtest.Close(t, name+" of the norm", v[0], v[1], 1e-12)
		}
		at = tensors.FromValue([][]float64{{0, math.Pi / 4}, {0, math.Pi / 2}})
		for _, e := range []divergence.Estimator{divergence.Exact{}, divergence.Hutchinson{}} { // without variance, as the Jacobian is diagonal
			got, err := diagnostic.Divergence(backend, nil, swinging, x, at, nil, e, 1)
			if err != nil {
				t.Fatal(err)
			}
			for name, v := range map[string][2]float64{"mean": {got.Mean, 3.5}, "min": {got.Min, -4}, "max": {got.Max, 8}, "std": {got.Std, math.Sqrt(24.75)}} {
				gomlxtest.Close(t, fmt.Sprintf("%v: %s", e, name), v[0], v[1], 1e-12)
			}
		}
	})
}

// divergent knows its divergence.
type divergent struct{ field.Func }

func (divergent) ApplyWithDivergence(_ *model.Scope, x, _, _ *Node) (value, div *Node) {
	return x, OnesLike(ReduceSum(x, -1))
}

func TestFieldsOwnDivergence(t *testing.T) {
	x, at := tensors.FromValue([][]float32{{1, 2}, {3, 4}}), tensors.FromValue(float32(0.5))
	got, err := diagnostic.Divergence(gomlxtest.Go(t), nil, divergent{growing}, x, at, nil, nil, 0)
	if err != nil || got != (diagnostic.Stats{Mean: 1, Min: 1, Max: 1}) {
		t.Errorf("got %v (%v), expected what the field says, 1", got, err)
	}
}

// Euler's steps on dx/dt = x multiply by 1+1/n on the way to the noise, and by 1-1/n on the
// way back.
func TestReversibility(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		const n = 8
		process := bind(t, backend, growing, solver.Euler(n))
		got, err := diagnostic.Reversibility(context.Background(), process, tensors.FromValue([][]float64{{3, 4}, {0, 0}, {-6, 8}}))
		if err != nil {
			t.Fatal(err)
		}
		lost := 1 - math.Pow(1-1./(n*n), n)
		gomlxtest.Close(t, "the mean", got.Mean, 5*lost, 1e-12)
		gomlxtest.Close(t, "the largest", got.Max, 10*lost, 1e-12)
		gomlxtest.Close(t, "the smallest", got.Min, 0, 0)
	})
}

// A parabola x = a·t² has S = a²/3, of which n parts see 1 - 1/n²; a straight line has 0.
// The direction of time doesn't matter.
func TestStraightness(t *testing.T) {
	const n = 10
	for _, times := range [][2]float64{{0, 1}, {1, 0}} {
		var at []float64
		var flat []float64
		for i := range n + 1 {
			u := times[0] + (times[1]-times[0])*float64(i)/n
			at = append(at, u)
			flat = append(flat, 3*u*u, 4*u*u, 7*u+1, -u)
		}
		got, err := diagnostic.Straightness(tensors.FromFlatDataAndDimensions(flat, n+1, 2, 2), at, 1)
		if err != nil {
			t.Fatal(err)
		}
		gomlxtest.Close(t, "S of the parabola", got.Max, 25./3*(1-1./(n*n)), 1e-12)
		gomlxtest.Close(t, "S of the line", got.Min, 0, 1e-12)
	}
}

func TestConvergence(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		noise := tensors.FromValue([][]float64{{1, -2}, {0.5, 0.3}})
		for want, method := range map[float64]func(steps int) solver.Solver{1: solver.Euler, 2: solver.Heun, 4: solver.RK4} {
			got, err := diagnostic.Convergence(context.Background(), noise, []int{128, 32, 64}, func(steps int) (*nami.Process, error) {
				return bind(t, backend, swinging, method(steps)), nil
			})
			if err != nil {
				t.Fatal(err)
			}
			gomlxtest.Close(t, fmt.Sprintf("the order of %v", method(1)), got.Order, want, 0.15)
			if fmt.Sprint(got.Steps) != "[32 64]" || len(got.Errors) != 2 || got.Errors[0] <= got.Errors[1] {
				t.Errorf("steps %v with errors %v, expected 32 and 64 with falling ones", got.Steps, got.Errors)
			}
		}
	})
}

// A stochastic solver has no way back, and its error can't be told from its noise.
func TestStochasticSolversAreRefused(t *testing.T) {
	backend, ctx := gomlxtest.Go(t), context.Background()
	bind := func(steps int) (*nami.Process, error) {
		return nami.Diffusion{Field: growing, Schedule: schedule.VP{}, Solver: solver.EulerMaruyama(steps), EventShape: []int{2}}.
			Bind(backend, model.NewStore(), nil)
	}
	x := tensors.FromValue([][]float32{{1, 2}})
	if _, err := diagnostic.Convergence(ctx, x, []int{4, 8, 16}, bind); err == nil || !strings.Contains(err.Error(), "the solver is stochastic") {
		t.Errorf("Convergence: got %v", err)
	}
	process, err := bind(4)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := diagnostic.Reversibility(ctx, process, x); err == nil || !strings.Contains(err.Error(), "from data to noise") {
		t.Errorf("Reversibility: got %v", err)
	}
}

func TestMisuse(t *testing.T) {
	backend, ctx := gomlxtest.Go(t), context.Background()
	x, at := tensors.FromValue([][]float64{{1, 2}, {3, 4}, {5, 6}}), tensors.FromValue(0.5)
	process := bind(t, backend, growing, solver.Euler(2))
	norm := func(f field.Field, x, t *tensors.Tensor) error {
		_, err := diagnostic.Norm(backend, nil, f, x, t, nil)
		return err
	}
	straightness := func(x *tensors.Tensor, rank int, times ...float64) error {
		_, err := diagnostic.Straightness(x, times, rank)
		return err
	}
	convergence := func(f func(steps int) (*nami.Process, error), steps ...int) error {
		_, err := diagnostic.Convergence(ctx, x, steps, f)
		return err
	}
	broken := field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return Log(Neg(x)) }}
	for want, err := range map[string]error{
		"diagnostic: field: the field is nil": norm(nil, x, at),
		"x or t is nil":                       norm(growing, nil, at),
		"t is (Float64)[2], x is (Float64)[3, 2] with events of rank 1: t must be a scalar or have the shape of the lead (3)": norm(growing, x, tensors.FromValue([]float64{1, 2})),
		"the field's norm is NaN or infinite for 3 of 3 events":                                                               norm(broken, x, at),
		"diagnostic: the field's norm: there are no events":                                                                   norm(growing, tensors.FromFlatDataAndDimensions([]float64{}, 0, 2), at),
		"the estimator is nil, and the field doesn't know its divergence": func() error {
			_, err := diagnostic.Divergence(backend, nil, growing, x, at, nil, nil, 0)
			return err
		}(),
		"diagnostic: field: the field is nil: give a network": func() error {
			_, err := diagnostic.Divergence(backend, nil, nil, x, at, nil, nil, 0)
			return err
		}(),
		"from data to noise: nami: the data: shape (3) ends in (3), expected events of shape (2)": func() error {
			_, err := diagnostic.Reversibility(ctx, process, tensors.FromValue([]float64{1, 2, 3}))
			return err
		}(),
		"the trajectory is nil":                           straightness(nil, 1, 1, 0),
		"and there are 2 times: its first axis must have": straightness(x, 1, 1, 0),
		"times[1] is 0.7 and times[2] is 0.7":             straightness(x, 1, 1, 0.7, 0.7),
		"has 2 axes, fewer than the event rank 3":         straightness(x, 3, 1, 0.5, 0),
		"bind is nil": convergence(nil, 1, 2, 3),
		"the steps are [2 2 4]: give at least three": convergence(func(int) (*nami.Process, error) { return process, nil }, 4, 2, 2),
		"give the same samples: there is no error":   convergence(func(int) (*nami.Process, error) { return process, nil }, 1, 2, 4),
	} {
		gomlxtest.Says(t, want, err, want)
	}
}

package loss_test

import (
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/interpolant"
	"github.com/nami-flow/go-nami/nami/loss"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// drift is E[dx_t/dt | x_t] for data N(m, s²), a standard normal source and Brownian γ:
// with γ² = t(1-t), x_t has the variance (1-t)²s² + t² + t(1-t).
func drift(m, s float64) func(x, t *Node) *Node {
	return func(x, t *Node) *Node {
		back := OneMinus(t)
		variance := Add(Add(MulScalar(Square(back), s*s), Square(t)), Mul(t, back))
		covariance := Add(Sub(t, MulScalar(back, s*s)), MulScalar(OneMinus(MulScalar(t, 2)), 0.5))
		return AddScalar(Mul(Div(covariance, variance), Sub(x, MulScalar(back, m))), -m)
	}
}

// The antithetic loss is least at the drift: a drift that is off by d costs d² more,
// within 5 standard errors over 200,000 events (a false alarm in two million seeds, and
// the seed is fixed). Its mean exists: it is the same for ten batches within what the
// standard deviation allows, where that of the plain loss grows with the batch.
func TestAntitheticLoss(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		const n, m, s, off = 200_000, 1.5, 0.6, 0.3
		computation, err := nami.NewComputation(backend, nil, func(scope *model.Scope, in []*Node) []*Node {
			g := in[0].Graph()
			random := gomlx.NewCounter(in[0], Const(g, uint32(0)))
			normal := func() *Node { return distribution.NewStandardNormal(1).Sample(random, g, dtypes.Float64, n) }
			target, source, z := AddScalar(MulScalar(normal(), s), m), normal(), normal()
			at := random.RandomUniform(g, shapes.Make(dtypes.Float64, n))
			antithetic := func(off float64) *Node {
				f := field.Func{Rank: 1, F: func(_ *model.Scope, x, t, _ *Node) *Node {
					return AddScalar(drift(m, s)(x, InsertAxes(t, -1)), off)
				}}
				return loss.Interpolant{Field: f, Interpolant: interpolant.Interpolant{}}.Antithetic(scope, loss.Batch{X: target, Source: source}, at, z)
			}
			return []*Node{antithetic(0), antithetic(off)}
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := computation.Call(gomlx.Key(2, 0))
		if err != nil {
			t.Fatal(err)
		}
		best, worse := gomlxtest.Floats(t, out[0], nil), gomlxtest.Floats(t, out[1], nil)
		mean, square := 0.0, 0.0
		for i := range best {
			d := worse[i] - best[i]
			mean, square = mean+d/n, square+d*d/n
		}
		if se := math.Sqrt((square - mean*mean) / n); math.Abs(mean-off*off) > 5*se {
			t.Errorf("the loss is %.4f more, expected %.4f ± %.4f", mean, off*off, se)
		}
		var batches []float64
		for k := range 10 {
			sum := 0.0
			for _, l := range best[k*n/10 : (k+1)*n/10] {
				sum += l / (n / 10)
			}
			batches = append(batches, sum)
		}
		total, squares := 0.0, 0.0
		for _, l := range best {
			total, squares = total+l/n, squares+l*l/n
		}
		se := math.Sqrt((squares - total*total) / (n / 10))
		for k, l := range batches {
			if math.Abs(l-total) > 5*se {
				t.Errorf("batch %d has the mean loss %.4f, all have %.4f ± %.4f", k, l, total, se)
			}
		}
		if se > 0.1 {
			t.Errorf("the standard error of 20,000 losses is %.3f: their variance isn't finite", se)
		}
	})
}

func TestBadInterpolantLoss(t *testing.T) {
	backend := gomlxtest.Go(t)
	still := field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return x }}
	for want, l := range map[string]loss.Interpolant{
		"the field is nil": {},
		"Scale is -1":      {Field: still, Interpolant: interpolant.Interpolant{Gamma: interpolant.ScaledBrownian{Scale: -1}}},
	} {
		computation, err := nami.NewComputation(backend, nil, func(scope *model.Scope, in []*Node) []*Node {
			return []*Node{l.PerEvent(scope, loss.Batch{X: in[0], Source: in[0]}, Const(in[0].Graph(), float32(0.5)), in[0])}
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = computation.Call(gomlxtest.Filled(1, 3, 2))
		gomlxtest.Says(t, want, err, want)
	}
	computation, err := nami.NewComputation(backend, nil, func(scope *model.Scope, in []*Node) []*Node {
		return []*Node{loss.Interpolant{Field: still}.PerEvent(scope, loss.Batch{X: in[0], Source: in[0]}, Const(in[0].Graph(), float32(0.5)), in[1])}
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = computation.Call(gomlxtest.Filled(1, 3, 2), gomlxtest.Filled(1, 2, 2))
	gomlxtest.Says(t, "z", err, "the latent noise z is (Float32)[2, 2], the target (data) (Float32)[3, 2]")
	_, err = computation.Call()
	gomlxtest.Says(t, "no input", err, "at least one input")
	_, err = computation.Call(gomlxtest.Filled(1, 3, 2), nil)
	gomlxtest.Says(t, "nil", err, "input 1 of the computation is nil")
}

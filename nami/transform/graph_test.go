package transform_test

import (
	"context"
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/internal/loop"
	"github.com/nami-flow/go-nami/nami/transform"
	"github.com/nami-flow/go-nami/tests/property"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"pgregory.net/rapid"
)

// A transform runs in the body of a compiled loop, there and back at each step, with the same numbers as outside.
func TestInCompiledLoop(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		columns := transform.Columns{
			{Of: []int{2, 0}, By: transform.Chain{transform.Asinh{}, transform.Standardize{Mean: []float64{1}, Std: []float64{2}}}},
			{Of: []int{1}, By: transform.Logit{}},
		}
		by := transform.Chain{columns, whiten}
		start := func() *tensors.Tensor { return tensors.FromValue([][]float64{{1, 0.2, -3}, {-2, 0.8, 50}}) }
		sum := tensors.FromValue([]float64{0, 0})
		p := loop.New(backend, model.NewStore(), func(_ *model.Scope, _ *Node, state, _ []*Node) ([]*Node, *Node) {
			y, logDet := by.Forward(nil, state[0])
			x, _ := by.Inverse(y)
			return []*Node{x, Add(state[1], ReduceSum(logDet, -1))}, nil
		})
		out, _, err := p.Run(context.Background(), 50, []*tensors.Tensor{start(), sum}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		gomlxtest.Near(t, "x after 50 steps", gomlxtest.Floats(t, out[0], nil), []float64{1, 0.2, -3, -2, 0.8, 50}, 1e-9)
		_, once, err := transform.Apply(backend, by, transform.Data{X: start()}, 0)
		want := gomlxtest.Floats(t, once, err)
		gomlxtest.Near(t, "the sum of logDet", gomlxtest.Floats(t, out[1], nil), []float64{50 * want[0], 50 * want[1]}, 1e-9)
	})
}

// Gradients are the central differences of what they are gradients of, in both directions, for
// the log-determinant too, and at 0, where some of the functions have a kink in parts.
func TestGradients(t *testing.T) {
	backend := gomlxtest.Go(t)
	for _, test := range []struct {
		by   transform.Transform
		x, y []float64
	}{
		{transform.Asinh{Scale: 2}, []float64{-1e9, -3, 0, 0.1, 7}, []float64{-5, -1, 0, 0.1, 3}},
		{transform.Logarithm{}, []float64{0.1, 2, 30}, []float64{-1, 0, 2}},
		{transform.Logit{Low: -1, High: 3}, []float64{-0.9, 1, 2.9}, []float64{-3, 0, 0.2}},
		{transform.Probit{Low: -1, High: 3}, []float64{-0.9, 1, 2.99}, []float64{-3, 0, 0.2}},
		{transform.Circle{Period: 3}, []float64{0, 0.7, 2.9}, []float64{1, 0.1, -0.5, 0.3, -0.2, -2}},
		{transform.Dequantize{}, nil, []float64{0.3, 4.5}},
	} {
		direction := func(what string, values []float64, forward bool) {
			if values == nil {
				return
			}
			weight := func(n *Node) *Node { // so that no two values count alike
				return ReduceAllSum(Mul(n, Sin(AddScalar(IotaFull(n.Graph(), n.Shape()), 1))))
			}
			f := func(key, in *Node) *Node {
				var out, logDet *Node
				if forward {
					out, logDet = test.by.Forward(gomlx.NewCounter(key, Const(in.Graph(), uint32(0))), in)
				} else {
					out, logDet = test.by.Inverse(in)
				}
				return Add(weight(out), weight(logDet))
			}
			out, err := CallOnceN(backend, func(in []*Node) []*Node {
				key, x := in[0], in[1]
				slopes := make([]*Node, len(values))
				for i, v := range values {
					h := 1e-6 * (math.Abs(v) + 1)
					one := make([]float64, len(values))
					one[i] = h
					step := Const(x.Graph(), one)
					slopes[i] = DivScalar(Sub(f(key, Add(x, step)), f(key, Sub(x, step))), 2*h)
				}
				return []*Node{Gradient(f(key, x), x)[0], Stack(slopes, 0)}
			}, gomlx.Key(1, 0), values)
			if err != nil {
				t.Fatalf("%T: %s: %v", test.by, what, err)
			}
			gomlxtest.Near(t, what, gomlxtest.Floats(t, out[0], nil), gomlxtest.Floats(t, out[1], nil), 1e-5)
		}
		direction("the gradient of Forward", test.x, true)
		direction("the gradient of Inverse", test.y, false)
	}
}

// A zero in the padding, or whatever stands there, makes no gradient NaN.
func TestGradientWithPadding(t *testing.T) {
	x, mask := []float64{2, 0, -7, math.NaN()}, []float64{1, 0, 0, 0}
	out, err := CallOnce(gomlxtest.Go(t), func(x, mask *Node) *Node {
		y, logDet := transform.Masked(transform.Logarithm{}, mask).Forward(nil, Reshape(x, 4, 1))
		return Gradient(ReduceAllSum(Add(y, MulScalar(logDet, 3))), x)[0]
	}, x, mask)
	gomlxtest.Near(t, "the gradient", gomlxtest.Floats(t, out, err), []float64{(1 - 3) / 2., 0, 0, 0}, 1e-12)
}

// Counts come back, the largest too, at the edges of the noise.
func TestDequantizeComesBack(t *testing.T) {
	backend := gomlxtest.Go(t)
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
		for _, step := range []float64{0, 1. / 255, 0.1} {
			d := transform.Dequantize{Step: step}
			unit := step
			if step == 0 {
				unit = 1
			}
			var x []float64
			for k := range 5_000 {
				for _, v := range []int{k, -k, 1<<20 - 1 - k, k + 1 - 1<<20, 65535} {
					x = append(x, unit*float64(v))
				}
			}
			in := gomlx.FromFloats(dtype, x, len(x))
			y, _, err := transform.Apply(backend, d, transform.Data{X: in}, 1)
			if err != nil {
				t.Fatal(err)
			}
			back, _, err := transform.Invert(backend, d, transform.Data{X: y})
			gomlxtest.Near(t, "what comes back", gomlxtest.Floats(t, back, err), gomlxtest.Floats(t, in, nil), 1e-6)
			for i, v := range gomlxtest.Floats(t, y, nil) {
				if u := v - math.Round(x[i]/unit); !(u >= 0 && u < 1) && math.Abs(v) < 1e4 {
					t.Fatalf("%g became %g: the noise is %g", x[i], v, u)
				}
			}
		}
	}
}

// Whatever data is given, transforms map it and bring it back, or what is said teaches.
func TestAnyData(t *testing.T) {
	backend := gomlxtest.Go(t)
	property.CheckPart(t, 60, func(t *rapid.T) {
		event := rapid.SampledFrom([][]int{{3}, {2, 3}}).Draw(t, "event")
		x := gomlxtest.Misfit(t, "x", append([]int{4}, event...)...)
		by := rapid.SampledFrom([]transform.Transform{
			transform.Standardize{Mean: []float64{3, 1, 2}, Std: []float64{1, 2, 3}},
			whiten,
			transform.Logarithm{Shift: 1},
			transform.Logit{Low: -1, High: 2},
			transform.Probit{Low: -1, High: 2},
			transform.Asinh{},
			transform.Circle{Low: -2},
			transform.Chain{transform.Logarithm{Shift: 1}, transform.Asinh{}, whiten},
			transform.Columns{{Of: []int{0, 1, 2}, By: whiten}},
			transform.Columns{},
			transform.Columns{{Of: []int{2}, By: transform.Circle{Low: -2}}, {Of: []int{1, 0}, By: transform.Logit{Low: -1, High: 2}}},
			transform.Chain{transform.Circle{Low: -2}, transform.Columns{{Of: []int{0, 5}, By: transform.Standardize{Mean: []float64{1}, Std: []float64{2}}}}},
		}).Draw(t, "by")
		var y *tensors.Tensor
		gomlxtest.Bears(t, "Apply", func() ([]*tensors.Tensor, error) {
			made, logDet, err := transform.Apply(backend, by, transform.Data{X: x}, 2)
			y = made
			return []*tensors.Tensor{made, logDet}, err
		})
		if y == nil {
			return
		}
		gomlxtest.Bears(t, "Invert", func() ([]*tensors.Tensor, error) {
			back, _, err := transform.Invert(backend, by, transform.Data{X: y})
			if err == nil && property.Fits(t) {
				gomlxtest.Near(t, "what comes back", gomlxtest.Floats(t, back, nil), gomlxtest.Floats(t, x, nil), 1e-5)
			}
			return []*tensors.Tensor{back}, err
		})
	})
}

// Whatever data, mask and weights are given, a transform is fitted to them, and its result then
// has a use, or what is said teaches.
func TestAnyFit(t *testing.T) {
	backend := gomlxtest.Go(t)
	property.CheckPart(t, 60, func(t *rapid.T) {
		d := transform.Data{X: gomlxtest.Misfit(t, "x", 6, 2, 3), Weight: property.Mostly(t, "weight", tensors.FromValue([]float32{1, 2, 3, 0.5, 0, 1}),
			nil, tensors.FromValue([]float32{1, -2, 3, 0.5, 0, -1}), gomlxtest.Filled(0, 6), gomlxtest.Filled(1, 5), gomlxtest.Filled(float32(math.NaN()), 6))}
		if rapid.Bool().Draw(t, "masked") {
			d.Mask = property.Mostly(t, "mask", gomlxtest.Filled(1, 6, 2), gomlxtest.Filled(0, 6, 2), gomlxtest.Filled(0.5, 6, 2), gomlxtest.Filled(1, 6))
		}
		by := rapid.SampledFrom([]transform.Transform{
			transform.Standardize{},
			transform.Standardize{Constant: 2},
			transform.Whiten{},
			transform.Chain{transform.Asinh{}, transform.Standardize{}, transform.Whiten{}},
			transform.Columns{{Of: []int{2, 1}, By: transform.Whiten{}}, {Of: []int{0}, By: transform.Chain{transform.Circle{}, transform.Standardize{}}}},
			transform.Columns{{Of: []int{0, 1, 2}, By: transform.Standardize{}}},
		}).Draw(t, "by")
		var fitted transform.Transform
		gomlxtest.Bears(t, "Fit", func() (_ []*tensors.Tensor, err error) {
			fitted, err = transform.Fit(backend, by, d)
			return nil, err
		})
		if fitted == nil {
			return
		}
		gomlxtest.Bears(t, "Apply", func() ([]*tensors.Tensor, error) {
			y, logDet, err := transform.Apply(backend, fitted, d, 2)
			return []*tensors.Tensor{y, logDet}, err
		})
	})
}

// Second derivatives of an angle are those of atan2: θ_xx = 2xy/r⁴, θ_xy = (y²-x²)/r⁴, θ_yy = -θ_xx.
func TestSecondDerivativesOfAnAngle(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		y := []float64{1, 0.5, -0.3, 2, 0, -1, -2, -0.1}
		out, err := CallOnceN(backend, func(y *Node) []*Node {
			x, _ := transform.Circle{}.Inverse(y)
			first := Gradient(ReduceAllSum(x), y)[0]
			byX := Gradient(ReduceAllSum(SliceAxis(first, -1, AxisElem(0))), y)[0]
			byY := Gradient(ReduceAllSum(SliceAxis(first, -1, AxisElem(1))), y)[0]
			return []*Node{first, byX, byY}
		}, tensors.FromFlatDataAndDimensions(y, len(y)/2, 2))
		if err != nil {
			t.Fatal(err)
		}
		var first, byX, byY []float64
		for i := 0; i < len(y); i += 2 {
			a, b := y[i], y[i+1]
			r2 := a*a + b*b
			first = append(first, -b/r2, a/r2)
			byX = append(byX, 2*a*b/r2/r2, (b*b-a*a)/r2/r2)
			byY = append(byY, (b*b-a*a)/r2/r2, -2*a*b/r2/r2)
		}
		for i, want := range [][]float64{first, byX, byY} {
			gomlxtest.Near(t, "derivatives", gomlxtest.Floats(t, out[i], nil), want, 1e-12)
		}
	})
}

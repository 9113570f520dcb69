package distribution_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// ready is what the distributions of this package have.
type ready interface {
	distribution.Distribution
	fmt.Stringer
	BatchShape() []int
	Mean(g *Graph, dtype dtypes.DType) *Node
	Variance(g *Graph, dtype dtypes.DType) *Node
}

// numbers are a tensor of float64 of the given shape.
func numbers(dims []int, values ...float64) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(values, dims...)
}

func must[T any](t testing.TB) func(d T, err error) T {
	t.Helper()
	return func(d T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
}

// all are one of each, alone and in batches, some expanded.
func all(t testing.TB) []ready {
	t.Helper()
	normal := must[distribution.DiagonalNormal](t)
	uniform := must[distribution.Uniform](t)
	mixture := must[distribution.GaussianMixture](t)
	two := mixture(distribution.NewGaussianMixture(numbers([]int{2}, 1, 3), numbers([]int{2, 2}, -3, 2, 1, 0), numbers([]int{2, 2}, 0.5, 1, 2, 0.1), 1))
	return []ready{
		distribution.NewStandardNormal(3),
		distribution.NewStandardNormal().Expand(2),
		normal(distribution.NewDiagonalNormal(numbers([]int{2, 2}, 1, 2, 3, 4), numbers([]int{2, 2}, 0.1, 1, 2, 3), 1)),
		normal(distribution.Isotropic(2, 0.5, 3)).Expand(2),
		uniform(distribution.NewUniform(numbers([]int{2}, -1, 2), numbers([]int{2}, 3, 2.5), 1)),
		uniform(distribution.NewUniform(numbers([]int{2}, -1, 2), numbers([]int{2}, 3, 2.5), 0)).Expand(3, 2),
		uniform(distribution.UniformBox(0, 1)),
		two,
		two.Expand(3),
		mixture(distribution.NewGaussianMixture(numbers([]int{3}, 1, 1, 2), numbers([]int{3}, -1, 0, 1), numbers([]int{3}, 1, 2, 0.1), 0)),
		mixture(distribution.NewGaussianMixture(numbers([]int{2, 2}, 1, 1, 3, 1),
			numbers([]int{2, 2, 1, 2}, 0, 1, 2, 3, 4, 5, 6, 7), numbers([]int{2, 2, 1, 2}, 1, 2, 3, 4, 5, 6, 7, 8), 2)),
	}
}

// draw samples d with the numbers of rows first and up.
func draw(d distribution.Distribution, key, first *Node, lead ...int) *Node {
	return d.Sample(gomlx.NewCounter(key, first), key.Graph(), dtypes.Float64, lead...)
}

// 4,000 draws of each value have the mean and the variance that the distribution claims,
// within 5 standard errors; the variance's error comes from the draws' fourth moments. Of
// the 48 numbers with another seed one fails with a chance of 3e-5. And a row is the same
// whichever rows are drawn before it.
func TestSample(t *testing.T) {
	const n = 4000
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for i, d := range all(t) {
			if backends.Few(backend) && i%4 != 1 {
				continue // each compiles anew, which takes XLA half a second
			}
			exec, err := NewExec(backend, func(key, first *Node) []*Node {
				g := key.Graph()
				return []*Node{draw(d, key, first, slices.Concat([]int{n}, d.BatchShape())...), d.Mean(g, dtypes.Float64), d.Variance(g, dtypes.Float64)}
			})
			if err != nil {
				t.Fatalf("%v: %v", d, err)
			}
			out, err := exec.Call(gomlx.Key(1, 0), uint32(0))
			if err != nil {
				t.Fatalf("%v: %v", d, err)
			}
			later, err := exec.Call(gomlx.Key(1, 0), uint32(n-5))
			if err != nil {
				t.Fatalf("%v: %v", d, err)
			}
			want := slices.Concat(d.BatchShape(), d.EventShape())
			for i, o := range out[1:] {
				if !slices.Equal(o.Shape().Dimensions, want) {
					t.Fatalf("%v: moment %d is %s, expected the shape %s", d, i+1, o.Shape(), shape.Format(want))
				}
			}
			x, mean, variance := tensors.MustCopyFlatData[float64](out[0]), tensors.MustCopyFlatData[float64](out[1]), tensors.MustCopyFlatData[float64](out[2])
			last := x[len(x)-5*len(mean):]
			if again := tensors.MustCopyFlatData[float64](later[0]); !slices.Equal(last, again[:len(last)]) {
				t.Errorf("%v: the last five rows are %v, and %v in a chunk of their own", d, last, again[:len(last)])
			}
			for j := range mean {
				var column []float64
				for i := j; i < len(x); i += len(mean) {
					column = append(column, x[i])
				}
				m, v := stat.MeanVariance(column, nil)
				if math.Abs(m-mean[j]) > 5*math.Sqrt(v/n) {
					t.Errorf("%v: value %d has the mean %v over %d draws, expected %v", d, j, m, n, mean[j])
				}
				err := math.Sqrt((stat.Moment(4, column, nil) - v*v) / n)
				if math.Abs(v-variance[j]) > 5*err {
					t.Errorf("%v: value %d has the variance %v over %d draws, expected %v", d, j, v, n, variance[j])
				}
			}
		}
	})
}

// The densities integrate to 1: the mean of p(x)/q(x) over x of a wide normal q is 1,
// within 5 standard errors.
func TestDensitiesIntegrateToOne(t *testing.T) {
	const n = 20_000
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for i, d := range all(t) {
			if backends.Few(backend) && i%4 != 2 {
				continue
			}
			out, err := CallOnce(backend, func(key *Node) *Node {
				m, v := d.Mean(key.Graph(), dtypes.Float64), d.Variance(key.Graph(), dtypes.Float64)
				q := distribution.DiagonalNormalOf(m, MulScalar(Sqrt(v), 2), len(d.EventShape()))
				x := draw(q, key, Const(key.Graph(), uint32(0)), slices.Concat([]int{n}, d.BatchShape())...)
				return Exp(Sub(d.LogProb(x), q.LogProb(x)))
			}, gomlx.Key(2, 0))
			if err != nil {
				t.Fatalf("%v: %v", d, err)
			}
			w := tensors.MustCopyFlatData[float64](out)
			m, s := stat.MeanStdDev(w, nil)
			if math.Abs(m-1) > 5*s/math.Sqrt(float64(len(w))) {
				t.Errorf("%v: the density integrates to %v ± %v", d, m, s/math.Sqrt(float64(len(w))))
			}
		}
	})
}

// A mixture's density is the sum of gonum's, far from all components too, and its gradient
// is finite there.
func TestGaussianMixtureLogProb(t *testing.T) {
	m, err := distribution.NewGaussianMixture(numbers([]int{2}, 1, 3), numbers([]int{2, 1}, -2, 1), numbers([]int{2, 1}, 0.5, 2), 1)
	if err != nil {
		t.Fatal(err)
	}
	xs := []float64{-2, 0, 3, 60, -1000}
	a, b := distuv.Normal{Mu: -2, Sigma: 0.5}, distuv.Normal{Mu: 1, Sigma: 2}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		out, err := CallOnceN(backend, func(x *Node) []*Node {
			column := InsertAxes(x, -1)
			logProb := m.LogProb(column)
			return []*Node{logProb, Gradient(ReduceAllSum(logProb), x)[0]}
		}, xs)
		if err != nil {
			t.Fatal(err)
		}
		logProb, gradient := tensors.MustCopyFlatData[float64](out[0]), tensors.MustCopyFlatData[float64](out[1])
		for i, x := range xs {
			la, lb := math.Log(0.25)+a.LogProb(x), math.Log(0.75)+b.LogProb(x)
			largest := max(la, lb)
			want := largest + math.Log(math.Exp(la-largest)+math.Exp(lb-largest))
			share := math.Exp(la - want)
			slope := -share*(x+2)/0.25 - (1-share)*(x-1)/4
			if math.Abs(logProb[i]-want) > 1e-10*math.Abs(want) {
				t.Errorf("log p(%v) is %v, expected %v", x, logProb[i], want)
			}
			if math.Abs(gradient[i]-slope) > 1e-10*math.Max(1, math.Abs(slope)) {
				t.Errorf("d log p/dx at %v is %v, expected %v", x, gradient[i], slope)
			}
		}
		out, err = CallOnceN(backend, func(x *Node) []*Node { return []*Node{m.LogProb(x)} }, [][]float32{{1e30}})
		if err != nil {
			t.Fatal(err)
		}
		if got := tensors.MustCopyFlatData[float32](out[0])[0]; !math.IsInf(float64(got), -1) {
			t.Errorf("log p(1e30) is %v in float32, expected -∞", got)
		}
	})
}

func TestUniformLogProb(t *testing.T) {
	u, err := distribution.NewUniform(numbers([]int{2}, 0, -1), numbers([]int{2}, 1, 3), 1)
	if err != nil {
		t.Fatal(err)
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		out, err := CallOnce(backend, u.LogProb, [][]float64{{0.5, 0}, {0, 3}, {1.01, 0}, {0.5, -1.5}, {math.NaN(), 0}})
		if err != nil {
			t.Fatal(err)
		}
		got := tensors.MustCopyFlatData[float64](out)
		for i, want := range []float64{-math.Log(4), -math.Log(4), math.Inf(-1), math.Inf(-1)} {
			if got[i] != want && math.Abs(got[i]-want) > 1e-12 {
				t.Errorf("event %d: log p is %v, expected %v", i, got[i], want)
			}
		}
		if !math.IsNaN(got[4]) {
			t.Errorf("log p of NaN is %v, expected NaN", got[4])
		}
	})
}

func TestConstructorsRefuse(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	v := func(values ...float64) *tensors.Tensor { return numbers([]int{len(values)}, values...) }
	normal := func(loc, scale *tensors.Tensor, rank int) error {
		_, err := distribution.NewDiagonalNormal(loc, scale, rank)
		return err
	}
	uniform := func(low, high *tensors.Tensor, rank int) error {
		_, err := distribution.NewUniform(low, high, rank)
		return err
	}
	mixture := func(w, loc, scale *tensors.Tensor, rank int) error {
		_, err := distribution.NewGaussianMixture(w, loc, scale, rank)
		return err
	}
	isotropic := func(shape ...int) error {
		_, err := distribution.Isotropic(0, 1, shape...)
		return err
	}
	box := func(shape ...int) error {
		_, err := distribution.UniformBox(0, 1, shape...)
		return err
	}
	for want, err := range map[string]error{
		"DiagonalNormal: value 1 of scale, of shape (2), is 0: it must be positive":  normal(v(0, 0), v(1, 0), 1),
		"DiagonalNormal: value 0 of scale, of shape (2), is -1: it must be positive": normal(v(0, 0), v(-1, 1), 1),
		"value 1 of loc, of shape (Float64)[2], is NaN: it must be finite":           normal(v(0, nan), v(1, 1), 1),
		"value 0 of scale, of shape (Float64)[1], is +Inf":                           normal(v(0), v(inf), 1),
		"loc has shape (2) and scale (1): both must have one shape":                  normal(v(0, 0), v(1), 1),
		"shape (2) has 1 axes, fewer than the event rank 2":                          normal(v(0, 0), v(1, 1), 2),
		"loc is nil": normal(nil, v(1), 1),
		"loc is (Int32)[1]: expected Float32 or Float64 values":       normal(tensors.FromValue([]int32{1}), v(1), 1),
		"Isotropic: an event has shape (2, -1): every axis needs":     isotropic(2, -1),
		"UniformBox: an event has shape (0): every axis needs":        box(0),
		"is 1 and 1: low must be below high":                          uniform(v(1), v(1), 1),
		"is 2 and 1: low must be below high":                          uniform(v(2), v(1), 1),
		"value 0 of low, of shape (Float64)[1], is NaN":               uniform(v(nan), v(1), 1),
		"low has shape (1) and high (2)":                              uniform(v(0), v(1, 1), 1),
		"value 1 of weights, of shape (2), is 0: it must be":          mixture(v(1, 0), v(0, 0), v(1, 1), 0),
		"GaussianMixture: value 1 of scale, of shape (2), is -1":      mixture(v(1, 1), v(0, 0), v(1, -1), 0),
		"loc has shape (2) and scale (3)":                             mixture(v(1, 1), v(0, 0), v(1, 1, 1), 0),
		"weights has shape (3) and loc (2), with events of shape ()":  mixture(v(1, 1, 1), v(0, 0), v(1, 1), 0),
		"weights has shape (2) and loc (2), with events of shape (2)": mixture(v(1, 1), v(0, 0), v(1, 1), 1),
	} {
		gomlxtest.Says(t, want, err, want)
	}
}

// Shapes that don't fit are refused with both sides, never repeated in silence.
func TestGraphsRefuse(t *testing.T) {
	backend := gomlxtest.Go(t)
	for _, d := range all(t) {
		right := slices.Concat([]int{4}, d.BatchShape(), d.EventShape())
		if len(right) > 1 {
			wrong := slices.Clone(right)
			wrong[len(wrong)-1] = 1
			if _, err := CallOnce(backend, d.LogProb, tensors.FromShape(shapes.Make(dtypes.Float64, wrong...))); err == nil ||
				!strings.Contains(err.Error(), shape.Format(wrong)) && !strings.Contains(err.Error(), shape.Format(d.BatchShape())) {
				t.Errorf("%v: log p of shape %s: got %v, expected an error with both shapes", d, shape.Format(wrong), err)
			}
		}
		if len(d.BatchShape()) == 0 {
			continue
		}
		_, err := CallOnce(backend, func(key *Node) *Node { return draw(d, key, Const(key.Graph(), uint32(0)), 7) }, gomlx.Key(1, 0))
		want := "the lead is (7), which must end in the batch shape " + shape.Format(d.BatchShape())
		gomlxtest.Says(t, fmt.Sprint(d), err, want)
	}
	d := distribution.NewStandardNormal(2).Expand(3)
	err := gomlx.Try(func() error { d.Expand(4); return nil })
	if err == nil || !strings.Contains(err.Error(), "can't expand the batch (3) to (4)") {
		t.Errorf("got %v, expected both batch shapes", err)
	}
}

// What a distribution prints tells it apart from others: it is part of a training run's
// identity.
func TestStrings(t *testing.T) {
	seen := map[string]int{}
	for i, d := range all(t) {
		text := d.String()
		if j, ok := seen[text]; ok {
			t.Errorf("distributions %d and %d are both %s", i, j, text)
		}
		seen[text] = i
		if again := all(t)[i].String(); again != text {
			t.Errorf("distribution %d is %s and %s", i, text, again)
		}
	}
	many := make([]float64, 100)
	large := func(last float64) string {
		many[99] = last
		d, err := distribution.NewDiagonalNormal(numbers([]int{100}, many...), numbers([]int{100}, slices.Repeat([]float64{1}, 100)...), 1)
		if err != nil {
			t.Fatal(err)
		}
		return d.String()
	}
	if a, b := large(1), large(2); a == b || len(a) > 100 {
		t.Errorf("two distributions of many parameters are %s and %s: expected short texts that differ", a, b)
	}
}

// A sample is reparameterised: its derivative by the mean is 1, and by the standard
// deviation the normal number that it was made of.
func TestSampleIsReparameterised(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		out, err := CallOnceN(backend, func(key, loc, scale *Node) []*Node {
			x := draw(distribution.DiagonalNormalOf(loc, scale, 1), key, Const(key.Graph(), uint32(0)), 1)
			z := Div(Sub(Reshape(x, 2), loc), scale)
			return append(Gradient(ReduceAllSum(x), loc, scale), z)
		}, gomlx.Key(3, 0), []float64{1, -2}, []float64{0.5, 3})
		if err != nil {
			t.Fatal(err)
		}
		byLoc, byScale, z := tensors.MustCopyFlatData[float64](out[0]), tensors.MustCopyFlatData[float64](out[1]), tensors.MustCopyFlatData[float64](out[2])
		for i := range z {
			if byLoc[i] != 1 || math.Abs(byScale[i]-z[i]) > 1e-12 {
				t.Errorf("value %d: the derivatives are %v and %v, expected 1 and %v", i, byLoc[i], byScale[i], z[i])
			}
		}
	})
}

package nami_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/interpolant"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// between is the Schrödinger bridge between N(m0, s0) and N(m1, s1) in the plane, whose
// plan, marginals and fields are known in closed form (Janati et al. 2020, arXiv:2006.02572,
// theorem 1; Bunne et al. 2023, arXiv:2202.05722, theorem 3).
type between struct {
	sigma  float64
	m0, m1 [2]float64
	s0, s1 *mat.SymDense
	c      *mat.Dense // the covariance of both ends in the plan, E[(x0-m0)(x1-m1)ᵀ]
}

func newBetween() between {
	b := between{
		sigma: 0.8, m0: [2]float64{1, -1}, m1: [2]float64{-0.5, 2},
		s0: mat.NewSymDense(2, []float64{1, 0.6, 0.6, 0.8}), s1: mat.NewSymDense(2, []float64{0.5, -0.2, -0.2, 1.5}),
	}
	root := power(b.s0, 0.5)
	var inner mat.Dense
	inner.Mul(root, b.s1)
	inner.Mul(&inner, root)
	d := power(symmetric(&inner, 4, math.Pow(b.sigma, 4)), 0.5)
	b.c = new(mat.Dense)
	b.c.Mul(root, d)
	b.c.Mul(b.c, power(b.s0, -0.5))
	for i := range 2 {
		for j := range 2 {
			b.c.Set(i, j, b.c.At(i, j)/2)
		}
		b.c.Set(i, i, b.c.At(i, i)-b.sigma*b.sigma/2)
	}
	return b
}

// symmetric is factor·a + add on the diagonal.
func symmetric(a mat.Matrix, factor, add float64) *mat.SymDense {
	s := mat.NewSymDense(2, nil)
	for i := range 2 {
		for j := i; j < 2; j++ {
			s.SetSym(i, j, factor*(a.At(i, j)+a.At(j, i))/2)
		}
		s.SetSym(i, i, s.At(i, i)+add)
	}
	return s
}

// power is a power of a positive matrix.
func power(s *mat.SymDense, p float64) *mat.SymDense {
	var eigen mat.EigenSym
	eigen.Factorize(s, true)
	var v, out mat.Dense
	eigen.VectorsTo(&v)
	values := eigen.Values(nil)
	for i := range values {
		values[i] = math.Pow(values[i], p)
	}
	out.Mul(&v, mat.NewDiagDense(2, values))
	out.Mul(&out, v.T())
	return symmetric(&out, 1, 0)
}

// at is the mean and the covariance at time t.
func (b between) at(t float64) (mean [2]float64, covariance *mat.SymDense) {
	sum := mat.NewDense(2, 2, nil)
	for i := range 2 {
		mean[i] = (1-t)*b.m0[i] + t*b.m1[i]
		for j := range 2 {
			sum.Set(i, j, (1-t)*(1-t)*b.s0.At(i, j)+t*t*b.s1.At(i, j)+t*(1-t)*(b.c.At(i, j)+b.c.At(j, i)))
		}
	}
	return mean, symmetric(sum, 1, b.sigma*b.sigma*t*(1-t))
}

// bridge has the fields in closed form: with the deviation u = V(t)⁻¹(x - m(t)),
// v = m1 - m0 + Cov(x1 - x0, x_t)·u and p = -½σ²·u.
func (b between) bridge() interpolant.Bridge {
	solved := func(x, t *Node) (u [2]*Node, line func(at0, at1 float64) *Node) {
		if !t.IsScalar() {
			t = InsertAxes(t, -1)
		}
		line = func(at0, at1 float64) *Node { return Add(MulScalar(OneMinus(t), at0), MulScalar(t, at1)) }
		quadratic := func(i, j int) *Node {
			between := b.c.At(i, j) + b.c.At(j, i)
			if i == j {
				between += b.sigma * b.sigma
			}
			ends := Add(MulScalar(Square(OneMinus(t)), b.s0.At(i, j)), MulScalar(Square(t), b.s1.At(i, j)))
			return Add(ends, MulScalar(Mul(t, OneMinus(t)), between))
		}
		var d [2]*Node
		for i := range d {
			d[i] = Sub(Slice(x, AxisRange().Spacer(), AxisRange(i, i+1)), line(b.m0[i], b.m1[i]))
		}
		v00, v01, v11 := quadratic(0, 0), quadratic(0, 1), quadratic(1, 1)
		det := Sub(Mul(v00, v11), Square(v01))
		u[0] = Div(Sub(Mul(v11, d[0]), Mul(v01, d[1])), det)
		u[1] = Div(Sub(Mul(v00, d[1]), Mul(v01, d[0])), det)
		return u, line
	}
	return interpolant.Bridge{
		Sigma: b.sigma,
		Velocity: field.Func{Rank: 1, F: func(_ *model.Scope, x, t, _ *Node) *Node {
			u, line := solved(x, t)
			var out [2]*Node
			for i := range out {
				out[i] = MulScalar(OnesLike(u[i]), b.m1[i]-b.m0[i])
				for j := range u {
					out[i] = Add(out[i], Mul(line(b.c.At(j, i)-b.s0.At(i, j), b.s1.At(i, j)-b.c.At(i, j)), u[j]))
				}
			}
			return Concatenate(out[:], -1)
		}},
		Push: field.Func{Rank: 1, F: func(_ *model.Scope, x, t, _ *Node) *Node {
			u, _ := solved(x, t)
			return MulScalar(Concatenate(u[:], -1), -b.sigma*b.sigma/2)
		}},
	}
}

// draw draws n points of N(mean, covariance).
func draw(seed uint64, n int, mean [2]float64, covariance *mat.SymDense) *tensors.Tensor {
	random, root := rand.New(rand.NewPCG(seed, 7)), power(covariance, 0.5)
	flat := make([]float32, 2*n)
	for i := range n {
		z := [2]float64{random.NormFloat64(), random.NormFloat64()}
		for k := range 2 {
			flat[2*i+k] = float32(mean[k] + root.At(k, 0)*z[0] + root.At(k, 1)*z[1])
		}
	}
	return tensors.FromFlatDataAndDimensions(flat, n, 2)
}

// moments are the means and the covariance of the columns of x.
func moments(x []float64, columns int) (mean []float64, covariance [][]float64) {
	n := len(x) / columns
	mean = make([]float64, columns)
	for i, v := range x {
		mean[i%columns] += v / float64(n)
	}
	for range columns {
		covariance = append(covariance, make([]float64, columns))
	}
	for i := range n {
		for j := range columns {
			for k := range columns {
				covariance[j][k] += (x[i*columns+j] - mean[j]) * (x[i*columns+k] - mean[k]) / float64(n)
			}
		}
	}
	return mean, covariance
}

// The closed form is that of the bridge: in the density of a plan with the kernel
// exp(-|x0-x1|²/2σ²), only that kernel ties both ends, so that the block between them of
// the inverse covariance is -1/σ². This guards the tests below.
func TestBridgeBetweenGaussians(t *testing.T) {
	b := newBetween()
	joint := mat.NewDense(4, 4, nil)
	for i := range 2 {
		for j := range 2 {
			joint.Set(i, j, b.s0.At(i, j))
			joint.Set(2+i, 2+j, b.s1.At(i, j))
			joint.Set(i, 2+j, b.c.At(i, j))
			joint.Set(2+j, i, b.c.At(i, j))
		}
	}
	var inverse mat.Dense
	if err := inverse.Inverse(joint); err != nil {
		t.Fatal(err)
	}
	got := []float64{inverse.At(0, 2), inverse.At(0, 3), inverse.At(1, 2), inverse.At(1, 3)}
	each := -1 / (b.sigma * b.sigma)
	gomlxtest.Near(t, "what ties both ends", got, []float64{each, 0, 0, each}, 1e-9)
}

// The probability flow of the bridge between two Gaussians is an affine map, which carries the
// covariance at each time into that at any other, both ways.
func TestBridgeFlow(t *testing.T) {
	b := newBetween()
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		process, err := nami.FlowMatching{Field: b.bridge(), Base: distribution.NewStandardNormal(2), Solver: solver.RK4(60)}.Bind(backend, model.NewStore(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, way := range [][2]float64{{1, 0}, {0, 1}, {1, 0.3}} {
			solution, err := process.Solve(t.Context(), tensors.FromValue([][]float32{{0, 0}, {1, 0}, {0, 1}}), way[0], way[1])
			if err != nil || solution.Err() != nil {
				t.Fatal(err, solution.Err())
			}
			y := gomlxtest.Floats(t, solution.Y[0], nil)
			a := mat.NewDense(2, 2, []float64{y[2] - y[0], y[4] - y[0], y[3] - y[1], y[5] - y[1]})
			from, before := b.at(way[0])
			to, want := b.at(way[1])
			var got mat.Dense
			got.Mul(a, before)
			got.Mul(&got, a.T())
			gomlxtest.Near(t, "the covariance", []float64{got.At(0, 0), got.At(0, 1), got.At(1, 1)}, []float64{want.At(0, 0), want.At(0, 1), want.At(1, 1)}, 2e-4)
			gomlxtest.Near(t, "the mean", []float64{y[0] + a.At(0, 0)*from[0] + a.At(0, 1)*from[1], y[1] + a.At(1, 0)*from[0] + a.At(1, 1)*from[1]}, to[:], 2e-4)
		}
	})
}

// The equations with noise of the bridge between two Gaussians have its means and covariances at
// the times between and at the ends, both ways, and tie both ends as the plan does, which no
// other process does that mixes Brownian bridges. Of 10,000 points a covariance is off by 0.021 in one
// standard deviation at most; 0.12 is five, with a part for the steps' error: a false alarm in a
// million, for fixed seeds.
func TestBridgeNoise(t *testing.T) {
	b := newBetween()
	const n = 10_000
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, s := range []solver.Solver{solver.EulerMaruyama(60), solver.SRA1(30)} {
			process, err := nami.FlowMatching{Field: b.bridge(), Base: distribution.NewStandardNormal(2), Solver: s}.Bind(backend, model.NewStore(), nil, nami.Seed(4))
			if err != nil {
				t.Fatal(err)
			}
			for _, way := range [][2]float64{{0, 1}, {1, 0}, {1, 0.6}} {
				start, before := b.at(way[0])
				x := draw(3, n, start, before)
				solution, err := process.Solve(t.Context(), x, way[0], way[1])
				if err != nil || solution.Err() != nil {
					t.Fatal(err, solution.Err())
				}
				ends, xs, ys := make([]float64, 4*n), gomlxtest.Floats(t, x, nil), gomlxtest.Floats(t, solution.Y[0], nil)
				for i := range n {
					copy(ends[4*i:], xs[2*i:2*i+2])
					copy(ends[4*i+2:], ys[2*i:2*i+2])
				}
				mean, covariance := moments(ends, 4)
				wantMean, want := b.at(way[1])
				gomlxtest.Near(t, "the mean", mean[2:], wantMean[:], 0.05)
				for i := range 2 {
					for j := range 2 {
						if got, want := covariance[2+i][2+j], want.At(i, j); math.Abs(got-want) > 0.12 {
							t.Errorf("%v from %v to %v: covariance %d, %d is %.3f, expected %.3f", s, way[0], way[1], i, j, got, want)
						}
						wantC := b.c.At(i, j)
						if way[0] == 1 {
							wantC = b.c.At(j, i)
						}
						if got := covariance[i][2+j]; way[1] == 1-way[0] && math.Abs(got-wantC) > 0.12 {
							t.Errorf("%v from %v to %v: the covariance of both ends %d, %d is %.3f, expected %.3f", s, way[0], way[1], i, j, got, wantC)
						}
					}
				}
			}
		}
	})
}

// A bridge that is trained on pairs of the plan has its ends by the flow and by the equation with
// noise, both ways: means to 0.1 and covariances to 0.15 after 500 steps.
func TestBridgeTrained(t *testing.T) {
	b := newBetween()
	const n = 8_000
	// Of the plan: x1 given x0 is normal, with the mean m1 + Cᵀs0⁻¹(x0 - m0).
	x0 := draw(1, n, b.m0, b.s0)
	var slope, explained mat.Dense
	slope.Mul(b.c.T(), power(b.s0, -1))
	explained.Mul(&slope, b.c)
	var rest mat.Dense
	rest.Sub(b.s1, &explained)
	x1 := draw(2, n, b.m1, symmetric(&rest, 1, 0))
	x1.MustMutableFlatData(func(flat any) {
		y := flat.([]float32)
		for i, x := range gomlxtest.Floats(t, x0, nil) {
			for k := range 2 {
				y[i/2*2+k] += float32(slope.At(k, i%2) * (x - b.m0[i%2]))
			}
		}
	})
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		network := field.MLP{EventShape: []int{2}, Hidden: []int{32, 32}}
		bridge := interpolant.Bridge{Velocity: network, Push: network, Sigma: b.sigma}
		store := model.NewStore()
		clone := func(x *tensors.Tensor) *tensors.Tensor {
			return tensors.FromFlatDataAndDimensions(tensors.MustCopyFlatData[float32](x), n, 2)
		}
		if _, err := train.Fit(t.Context(), backend, store, loss.Bridge{Field: bridge}, data.Events{X: clone(x0), Source: clone(x1)},
			train.Steps(500)); err != nil {
			t.Fatal(err)
		}
		for _, s := range []solver.Solver{solver.RK4(20), solver.EulerMaruyama(60)} {
			process, err := nami.FlowMatching{Field: bridge, Base: distribution.NewStandardNormal(2), Solver: s}.Bind(backend, store, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, way := range [][2]float64{{0, 1}, {1, 0}} {
				start, before := b.at(way[0])
				solution, err := process.Solve(t.Context(), draw(9, 4_000, start, before), way[0], way[1])
				if err != nil || solution.Err() != nil {
					t.Fatal(err, solution.Err())
				}
				mean, covariance := moments(gomlxtest.Floats(t, solution.Y[0], nil), 2)
				wantMean, want := b.at(way[1])
				gomlxtest.Near(t, "the mean", mean, wantMean[:], 0.1)
				for i := range 2 {
					gomlxtest.Near(t, "the covariance", covariance[i], []float64{want.At(i, 0), want.At(i, 1)}, 0.15)
				}
			}
		}
	})
}

// What a flow can't do with noise is refused.
func TestBadBridges(t *testing.T) {
	backend := gomlxtest.Go(t)
	network := field.MLP{EventShape: []int{2}, Hidden: []int{4}}
	bridge := interpolant.Bridge{Velocity: network, Push: network, Sigma: 0.5}
	inTime := solver.SRA1(5)
	inTime.InTime = true
	for want, m := range map[string]nami.FlowMatching{
		"Sigma is 0":                         {Field: interpolant.Bridge{Velocity: network, Push: network}, Solver: solver.RK4(4)},
		"a flow is an ordinary one unless":   {Field: network, Solver: solver.SRA1(5)},
		"a flow's equation with noise is in": {Field: bridge, Solver: inTime},
	} {
		m.Base = distribution.NewStandardNormal(2)
		_, err := m.Bind(backend, model.NewStore(), nil)
		gomlxtest.Says(t, want, err, want)
	}
}

// Samples with noise are those at the end of their trajectories, whose padding is zero all the way
// where there is a mask.
func TestBridgeSamples(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		sets := field.DeepSet{EventShape: []int{3, 2}, Layers: 1}
		bridge := interpolant.Bridge{Velocity: sets, Push: sets, Sigma: 0.7}
		store := model.NewStore()
		if err := nami.Initialize(backend, store, bridge, []int{3, 2}, nil, 1); err != nil {
			t.Fatal(err)
		}
		process, err := nami.FlowMatching{Field: bridge, Base: distribution.NewStandardNormal(3, 2), Solver: solver.EulerMaruyama(8)}.Bind(backend, store, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, mask := range []*tensors.Tensor{nil, tensors.FromValue([][]float32{{1, 1, 1}, {1, 0, 0}})} {
			p, err := process.Seeded(3).Masked(mask)
			if err != nil {
				t.Fatal(err)
			}
			shape := []int{4}
			if mask == nil {
				shape = []int{4, 2}
			}
			ways, err := p.Trajectory(t.Context(), []float64{1, 0.7, 0.35, 0}, shape...)
			way := gomlxtest.Floats(t, ways, err)
			if p, err = process.Seeded(3).Masked(mask); err != nil {
				t.Fatal(err)
			}
			samples, err := p.Sample(t.Context(), shape...)
			gomlxtest.Near(t, "the end of the ways", way[3*48:], gomlxtest.Floats(t, samples, err), 1e-6)
			for i, v := range way { // [time, 4, 2, 3, 2]
				if padded := mask != nil && i/6%2 == 1 && i/2%3 > 0; (v == 0) != padded {
					t.Fatalf("value %d is %v, padding: %v", i, v, padded)
				}
			}
		}
	})
}

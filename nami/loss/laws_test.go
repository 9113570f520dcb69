package loss_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

var nan = math.NaN()

var laws = []loss.Law{
	loss.Uniform{},
	loss.Power{},
	loss.Power{Exponent: 0.5},
	loss.LogitNormal{},
	loss.LogitNormal{Mean: 0.7, Std: 0.5},
	loss.LogNormal{Schedule: schedule.EDM{}, Mean: -1.2, Std: 1.2},
	loss.LogNormal{Schedule: schedule.VP{}, Mean: -0.5, Std: 2},
	loss.LogNormal{Schedule: schedule.Cosine{}},
	loss.LogNormal{Schedule: schedule.VE{SigmaMin: 0.5, SigmaMax: 2}, Std: 3},
	loss.Table{Edges: []float64{0, 0.1, 0.4, 0.7, 1}, Weights: []float64{3, 1, 0, 2}},
}

// Our laws are laws: quantiles go with densities, which integrate to 1.
func TestLaws(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, l := range laws {
			if err := loss.CheckLaw(backend, l); err != nil {
				t.Error(err)
			}
		}
	})
}

// askew has a density that isn't its quantiles'.
type askew struct{ loss.Power }

func (askew) Density(t *Node) *Node { return OnesLike(t) }

// beyond leaves [0, 1].
type beyond struct{ loss.Uniform }

func (beyond) Quantile(u *Node) *Node { return MulScalar(u, 1.5) }

// falling has quantiles that fall.
type falling struct{ loss.Uniform }

func (falling) Quantile(u *Node) *Node { return OneMinus(u) }

// A law whose parts contradict each other is found.
func TestCheckLaw(t *testing.T) {
	backend := gomlxtest.Go(t)
	for want, l := range map[string]loss.Law{
		"the law is nil":                 nil,
		"must lie in [0, 1]":             beyond{},
		"must not fall":                  falling{},
		"the density between":            askew{},
		"Exponent is -3":                 loss.Power{Exponent: -3},
		"must be shaped like its argume": short{},
	} {
		gomlxtest.Says(t, want, loss.CheckLaw(backend, l), want)
	}
}

// drawer draws n times of t by a seed, in Float64.
func drawer(t *testing.T, backend compute.Backend, times loss.Times, n int) (drawn func(seed int64) []float64) {
	exec, err := NewExec(backend, func(key *Node) *Node {
		random := gomlx.NewCounter(key, Iota(key.Graph(), shapes.Make(dtypes.Uint32, 1), 0))
		return times.Draw(random, key.Graph(), dtypes.Float64, n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(seed int64) []float64 {
		out, err := exec.Call1(gomlx.Key(seed, 0))
		return gomlxtest.Floats(t, out, err)
	}
}

// Stratified times have the law by themselves, and fill its quantiles evenly as a batch:
// sorted, the i-th of n lies between the quantiles i/n and (i+1)/n, but for one that is
// cut by the wrap.
func TestStratified(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		const n = 64
		counts := make([]int, n)
		firsts := make([]float64, 0, 40)
		drawn := drawer(t, backend, loss.Times{Stratified: true}, n)
		for seed := range int64(40) {
			clear(counts)
			times := drawn(seed)
			for _, u := range times {
				if u < 0 || u >= 1 {
					t.Fatalf("a time is %v", u)
				}
				counts[int(u*n)]++
			}
			for i, c := range counts {
				if c != 1 {
					t.Fatalf("stratum %d of %d has %d times", i, n, c)
				}
			}
			firsts = append(firsts, times[0])
		}
		// The first event's time is uniform over the batches: mean ½ ± 4 standard errors.
		mean := 0.0
		for _, u := range firsts {
			mean += u / float64(len(firsts))
		}
		if math.Abs(mean-0.5) > 4*math.Sqrt(1./12/float64(len(firsts))) {
			t.Errorf("the first event's times have the mean %.3f: an event must not keep its stratum", mean)
		}
	})
}

// Drawing times by one law for the expected loss of another leaves the expected loss and
// its gradient: for a field that is wrong by sin 3t, ∫ sin²(3t) p(t) dt, within 5 standard
// errors of 100,000 events (a false alarm in two million seeds each; seeds are fixed).
func TestImportance(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		const n = 100_000
		wrong := field.Func{Rank: 1, F: func(_ *model.Scope, x, t, _ *Node) *Node {
			return shape.Lift(Sin(MulScalar(t, 3)), x)
		}}
		for _, meant := range []loss.Law{loss.Uniform{}, loss.LogitNormal{}} {
			want := 0.0 // ∫ sin²(3t) p(t) dt, by the quantiles' midpoints
			quantiles, err := CallOnce(backend, func(u *Node) *Node { return meant.Quantile(u) }, midpoints(20_000))
			for _, at := range gomlxtest.Floats(t, quantiles, err) {
				want += math.Pow(math.Sin(3*at), 2) / 20_000
			}
			for _, from := range []loss.Law{loss.Uniform{}, loss.Power{Exponent: 1.5}, loss.LogitNormal{Std: 1.5}, loss.Table{Edges: []float64{0, 0.5, 1}, Weights: []float64{1, 3}}} {
				times := loss.Times{Law: from, For: meant}
				out, err := CallOnceN(backend, func(key *Node) []*Node {
					g := key.Graph()
					random := gomlx.NewCounter(key, Iota(g, shapes.Make(dtypes.Uint32, n), 0))
					at := times.Draw(random, g, dtypes.Float64, n)
					zero := Zeros(g, shapes.Make(dtypes.Float64, n, 1))
					l := loss.FM{Field: wrong, Times: times}
					store := model.NewStore()
					return []*Node{l.Times.Weigh(l.PerEvent(store.RootScope(), loss.Batch{X: zero, Source: zero}, at), at)}
				}, gomlx.Key(3, 0))
				if err != nil {
					t.Fatal(err)
				}
				mean, square := 0.0, 0.0
				for _, v := range gomlxtest.Floats(t, out[0], nil) {
					mean, square = mean+v/n, square+v*v/n
				}
				if se := math.Sqrt((square - mean*mean) / n); math.Abs(mean-want) > 5*se+1e-9 {
					t.Errorf("drawn from %v for %v: the loss is %.5f, expected %.5f ± %.5f", from, meant, mean, want, se)
				}
			}
		}
	})
}

// zeros are random numbers that are all 0, as a uniform one may be.
type zeros struct{}

func (zeros) RandomUniform(g *Graph, s shapes.Shape) *Node { return Zeros(g, s) }

// An event whose random number is 0 counts a finite number of times, which is that of the
// machine epsilon.
func TestImportanceOfZero(t *testing.T) {
	backend := gomlxtest.Go(t)
	all := []loss.Law{loss.Uniform{}, loss.Power{}, loss.Power{Exponent: 0.5}, loss.Power{Exponent: 0.1}, loss.LogitNormal{}}
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
		for _, from := range all {
			for _, meant := range all {
				times := loss.Times{Law: from, For: meant}
				out, err := CallOnce(backend, func(one *Node) *Node {
					return ConvertDType(times.Weigh(one, times.Draw(zeros{}, one.Graph(), dtype, 1)), dtypes.Float64)
				}, gomlx.FromFloats(dtype, []float64{1}, 1))
				w := gomlxtest.Floats(t, out, err)[0]
				if !(w >= 0 && w <= math.MaxFloat64) {
					t.Errorf("%s: drawn from %v for %v, an event counts %v times: expected a finite number", dtype, from, meant, w)
				}
				if (from == loss.Power{Exponent: 0.5}) && (meant == loss.Uniform{}) { // 1/2t with t = √u
					want := 0.5 / math.Sqrt(gomlx.Epsilon(dtype))
					gomlxtest.Near(t, "the weight of √ε", []float64{w}, []float64{want}, 1e-5*want)
				}
			}
		}
	}
}

// A weight of times multiplies each event's loss.
func TestWeightOfTimes(t *testing.T) {
	backend := gomlxtest.Go(t)
	out, err := CallOnce(backend, func(t *Node) *Node {
		return loss.Times{Weight: Square}.Weigh(AddScalar(t, 1), t)
	}, []float64{0, 0.5, 2})
	gomlxtest.Near(t, "weighed", gomlxtest.Floats(t, out, err), []float64{0, 0.375, 12}, 1e-12)
	if got := fmt.Sprint(loss.Times{Law: loss.Power{}, For: loss.Uniform{}, Stratified: true, Weight: Square}); got != "times Power(2) stratified for Uniform weighted" {
		t.Errorf("the times say %q", got)
	}
}

func midpoints(n int) []float64 {
	u := make([]float64, n)
	for i := range u {
		u[i] = (float64(i) + 0.5) / float64(n)
	}
	return u
}

package infer_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/infer"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// twoNumbers is a prior of a number between bounds and one without.
func twoNumbers() infer.Independent {
	return infer.Independent{{Name: "rate", Law: distuv.Uniform{Min: 1, Max: 3}}, {Name: "shift", Law: distuv.Normal{Sigma: 2}}}
}

func noisy(theta []float64, random *rand.Rand) []float64 {
	return []float64{theta[0] + random.NormFloat64(), theta[1], theta[0] * theta[1]}
}

// Simulations depend on the seed and on nothing else: not on workers, nor on where they were
// interrupted.
func TestSimulateAgain(t *testing.T) {
	want, err := infer.Simulate(t.Context(), twoNumbers(), infer.Each(noisy), 103, infer.Seed(3), infer.Workers(1))
	if err != nil || want.Len() != 103 || want.Failed != 0 {
		t.Fatalf("%d simulations, expected 103: %v", want.Len(), err)
	}
	again, err := infer.Simulate(t.Context(), twoNumbers(), infer.Each(noisy), 103, infer.Seed(3), infer.Workers(5))
	if err != nil || !reflect.DeepEqual(again, want) {
		t.Errorf("with five workers they are others: %v", err)
	}
	for _, format := range []string{"csv", "npz", "npy"} {
		path := filepath.Join(t.TempDir(), "simulations."+format)
		ctx, cancel := context.WithCancel(t.Context())
		part, err := infer.Simulate(ctx, twoNumbers(), infer.Each(noisy), 103, infer.Seed(3), infer.Workers(1), infer.Keep(path), infer.Progress(func(done, _ int) {
			if done > 40 {
				cancel()
			}
		}))
		if !errors.Is(err, context.Canceled) || part.Len() < 40 || part.Len() >= 103 {
			t.Fatalf("%s: %d simulations before it was cancelled: %v", format, part.Len(), err)
		}
		calls := 0
		whole, err := infer.Simulate(t.Context(), twoNumbers(), func(ctx context.Context, theta [][]float64, random *rand.Rand) ([][]float64, error) {
			calls++
			return infer.Each(noisy)(ctx, theta, random)
		}, 103, infer.Seed(3), infer.Keep(path), infer.Workers(1))
		if err != nil || !reflect.DeepEqual(whole, want) {
			t.Errorf("%s: continued, they are others: %v", format, err)
		}
		if calls == 0 || calls > 4 {
			t.Errorf("%s: %d more calls of the simulator, expected those of the 7 batches that were missing", format, calls)
		}
		_, err = infer.Simulate(t.Context(), twoNumbers(), infer.Each(noisy), 103, infer.Seed(4), infer.Keep(path))
		gomlxtest.Says(t, format, err, "it was made with another prior, seed or batch size")
	}
}

// Simulations that fail are counted, also in a file.
func TestFailedSimulations(t *testing.T) {
	fails := func(theta []float64, _ *rand.Rand) []float64 {
		switch {
		case theta[0] < 1.5:
			return nil
		case theta[0] > 2.5:
			return []float64{theta[0], math.NaN()}
		}
		return []float64{theta[0], theta[1]}
	}
	path := filepath.Join(t.TempDir(), "some.csv")
	for range 2 { // made, and read
		s, err := infer.Simulate(t.Context(), twoNumbers(), infer.Each(fails), 400, infer.Keep(path))
		if err != nil || s.Len()+s.Failed != 400 || s.Failed < 150 || s.Failed > 250 {
			t.Fatalf("%d simulations and %d failed ones, expected 200 of each or so: %v", s.Len(), s.Failed, err)
		}
		for _, theta := range s.Theta {
			if theta[0] < 1.5 || theta[0] > 2.5 {
				t.Fatalf("a simulation of %v is there, which fails", theta)
			}
		}
	}
	table, err := data.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := infer.FromTable(table, []string{"rate", "shift"}, nil)
	if err != nil || s.Len() > 250 || s.Len()+s.Failed != 400 {
		t.Errorf("from the table: %d simulations, %d failed: %v", s.Len(), s.Failed, err)
	}
	more, err := infer.FromFiles(filepath.Join(filepath.Dir(path), "*.csv"), []string{"shift"}, []string{"x0"})
	if err != nil || more.Len() <= s.Len() || len(more.Theta[0]) != 1 || len(more.X[0]) != 1 {
		t.Errorf("from files, with fewer columns: %d simulations, of all columns there are %d: %v", more.Len(), s.Len(), err)
	}
}

func TestBadSimulators(t *testing.T) {
	each := func(f func(theta []float64, random *rand.Rand) []float64) infer.Simulator { return infer.Each(f) }
	for want, c := range map[string]struct {
		prior     infer.Prior
		simulator infer.Simulator
		options   []infer.SimulateOption
	}{
		"the prior is nil":                                                 {nil, each(noisy), nil},
		"has no parameters":                                                {infer.Independent{}, each(noisy), nil},
		"the simulator is nil":                                             {twoNumbers(), nil, nil},
		`two parameters "a"`:                                               {infer.Independent{{"a", distuv.UnitNormal}, {"a", distuv.UnitNormal}}, each(noisy), nil},
		"parameter 0 has no name":                                          {infer.Independent{{"", distuv.UnitNormal}}, each(noisy), nil},
		`"a" (number 0) has no Law`:                                        {infer.Independent{{"a", nil}}, each(noisy), nil},
		`"a" lies between 2 and 1`:                                         {infer.Independent{{"a", distuv.Uniform{Min: 2, Max: 1}}}, each(noisy), nil},
		`"a" lies between NaN and NaN`:                                     {infer.Independent{{"a", infer.LogUniform{Max: 1}}}, each(noisy), nil},
		"there are 2 lower and 0 upper bounds, and 1 parameters":           {infer.Sampler{Parameters: []string{"a"}, Low: []float64{1, 2}, Func: func(*rand.Rand, []float64) {}}, each(noisy), nil},
		"the prior drew NaN for the parameter a":                           {infer.Sampler{Parameters: []string{"a"}, Func: func(_ *rand.Rand, theta []float64) { theta[0] = math.NaN() }}, each(noisy), nil},
		"the simulator panicked: runtime error: slice bounds out of range": {twoNumbers(), each(func(theta []float64, _ *rand.Rand) []float64 { return theta[7:8] }), nil},
		"has 2 values, that of simulation 0 has 3": {twoNumbers(), func(ctx context.Context, theta [][]float64, random *rand.Rand) ([][]float64, error) {
			x, err := each(noisy)(ctx, theta, random)
			x[len(x)-1] = x[len(x)-1][:2]
			return x, err
		}, nil},
		"16 parameters and returned 0 observations":                {twoNumbers(), func(context.Context, [][]float64, *rand.Rand) ([][]float64, error) { return nil, nil }, nil},
		"all of the 40 simulations gave values that aren't finite": {twoNumbers(), each(func([]float64, *rand.Rand) []float64 { return []float64{math.NaN()} }), nil},
		"simulations 0 to 15, the first with rate = ": {twoNumbers(), func(context.Context, [][]float64, *rand.Rand) ([][]float64, error) {
			return nil, errors.New("no licence")
		}, []infer.SimulateOption{infer.Workers(1)}},
		"took longer than its Timeout of 20ms": {twoNumbers(), each(func([]float64, *rand.Rand) []float64 { select {} }), []infer.SimulateOption{infer.Timeout(20 * time.Millisecond)}},
		"the batch size is 0":                  {twoNumbers(), each(noisy), []infer.SimulateOption{infer.Batch(0)}},
		"Workers is 0":                         {twoNumbers(), each(noisy), []infer.SimulateOption{infer.Workers(0)}},
		"option 0 of 1 is nil":                 {twoNumbers(), each(noisy), []infer.SimulateOption{nil}},
		"Keep: ":                               {twoNumbers(), each(noisy), []infer.SimulateOption{infer.Keep("simulations.doc")}},
	} {
		_, err := infer.Simulate(t.Context(), c.prior, c.simulator, 40, c.options...)
		gomlxtest.Says(t, want, err, want)
	}
	_, err := infer.Simulate(t.Context(), twoNumbers(), each(noisy), 0)
	gomlxtest.Says(t, "none", err, "asked for 0 simulations")
}

// Draws of the prior follow its laws, and its density is theirs.
func TestIndependent(t *testing.T) {
	prior := infer.Independent{{"a", infer.LogUniform{Min: 0.01, Max: 100}}, {"b", distuv.Exponential{Rate: 2}}}
	random := rand.New(rand.NewPCG(1, 2))
	const n = 20_000
	a, b := make([]float64, n), make([]float64, n)
	for i := range n {
		theta := make([]float64, 2)
		prior.Draw(random, theta)
		a[i], b[i] = math.Log(theta[0]), theta[1]
		want := -math.Log(theta[0]*math.Log(1e4)) + math.Log(2) - 2*theta[1]
		if got := prior.LogProb(theta); math.Abs(got-want) > 1e-9 {
			t.Fatalf("log p(%v) is %v, expected %v", theta, got, want)
		}
	}
	// Five standard errors each.
	if m, s := stat.MeanStdDev(a, nil); math.Abs(m) > 5*s/math.Sqrt(n) || math.Abs(s/(math.Log(1e4)/math.Sqrt(12))-1) > 0.03 {
		t.Errorf("log a has mean %v and deviation %v, expected 0 and %v", m, s, math.Log(1e4)/math.Sqrt(12))
	}
	if m := stat.Mean(b, nil); math.Abs(m-0.5) > 5*0.5/math.Sqrt(n) {
		t.Errorf("b has mean %v, expected 0.5", m)
	}
	for _, theta := range [][]float64{{0.001, 1}, {200, 1}, {1, -1}} {
		if got := prior.LogProb(theta); !math.IsInf(got, -1) {
			t.Errorf("log p(%v) is %v, expected -Inf", theta, got)
		}
	}
	low, high := prior.Bounds()
	if low[0] != 0.01 || high[0] != 100 || low[1] != 0 || !math.IsInf(high[1], 1) {
		t.Errorf("the bounds are %v and %v", low, high)
	}
}

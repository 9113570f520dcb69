package coupling_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/nami-flow/go-nami/nami/coupling"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"github.com/gomlx/gomlx/core/tensors"
)

func normal(seed uint64, n, d int, spread float64) *tensors.Tensor {
	random := rand.New(rand.NewPCG(seed, 1))
	x := make([]float64, n*d)
	for i := range x {
		x[i] = spread * random.NormFloat64()
	}
	return tensors.FromFlatDataAndDimensions(x, n, d)
}

// The entropic coupling keeps the rules of couplings.
func TestEntropicPasses(t *testing.T) {
	for _, e := range []coupling.Entropic{{}, {Epsilon: 2}, {Epsilon: 0.3, Iterations: 5000}} {
		if err := coupling.Check(e); err != nil {
			t.Error(err)
		}
	}
}

// Two rows of each side have a plan in closed form: with costs a on the diagonal and b beside
// it, the diagonal has half of 1/(1 + exp((a - b)/ε)) each, whatever is added to rows or columns;
// and rows and columns add up to 1/n, far beyond what an exponential holds, too.
func TestEntropicPlan(t *testing.T) {
	for _, epsilon := range []float64{0.5, 3, 40} {
		x, y := tensors.FromFlatDataAndDimensions([]float64{0, 1}, 2, 1), tensors.FromFlatDataAndDimensions([]float64{0.2, 3}, 2, 1)
		plan, off, err := coupling.Entropic{Epsilon: epsilon, Tolerance: 1e-12, Iterations: 100_000}.Plan(y, x)
		// (c₀₀ + c₁₁ - c₀₁ - c₁₀)/2 = -(x₀-x₁)(y₀-y₁)
		share := 1 / (1 + math.Exp(-1*2.8/epsilon)) / 2
		gomlxtest.Near(t, "the plan", gomlxtest.Floats(t, plan, err), []float64{share, 0.5 - share, 0.5 - share, share}, 1e-10)
		if off > 1e-12 {
			t.Errorf("ε = %v: it is off by %v", epsilon, off)
		}
	}
	for _, epsilon := range []float64{0.5, 10, 1e6} {
		const n = 40
		plan, off, err := coupling.Entropic{Epsilon: epsilon, Iterations: 100_000}.Plan(normal(1, n, 2, 1), normal(2, n, 2, 30))
		flat := gomlxtest.Floats(t, plan, err)
		for i := range n {
			row, column := 0.0, 0.0
			for j := range n {
				row, column = row+flat[i*n+j], column+flat[j*n+i]
			}
			if math.Abs(row*n-1) > 1e-9 || math.Abs(column*n-1) > 0.01 || off > 0.01 {
				t.Fatalf("ε = %v: row %d adds up to %v and column %d to %v of 1/%d; the plan is said to be off by %v", epsilon, i, row*n, i, column*n, n, off)
			}
		}
	}
}

// With little entropy the plan costs what the best permutation does, with much what pairs of
// independent rows do; in between it costs more with more, but for the tolerance of 0.01.
func TestEntropicBetween(t *testing.T) {
	const n = 30
	x, y := normal(3, n, 2, 1), normal(4, n, 2, 1)
	xs, ys := gomlxtest.Floats(t, x, nil), gomlxtest.Floats(t, y, nil)
	cost := func(i, j int) float64 {
		return (ys[2*i]-xs[2*j])*(ys[2*i]-xs[2*j]) + (ys[2*i+1]-xs[2*j+1])*(ys[2*i+1]-xs[2*j+1])
	}
	best, err := coupling.OptimalTransport{}.Pair(nil, x, y, nil)
	if err != nil {
		t.Fatal(err)
	}
	least, mean := 0.0, 0.0
	for i, j := range best {
		least += cost(i, j) / n
		for k := range n {
			mean += cost(i, k) / (n * n)
		}
	}
	last := least
	for _, epsilon := range []float64{0.01, 0.3, 1, 3, 1000} {
		plan, _, err := coupling.Entropic{Epsilon: epsilon, Iterations: 20_000}.Plan(x, y)
		flat := gomlxtest.Floats(t, plan, err)
		value := 0.0
		for i := range n {
			for j := range n {
				value += flat[i*n+j] * cost(i, j)
			}
		}
		if value < 0.99*last || value > 1.01*mean {
			t.Errorf("ε = %v: the plan costs %v, after %v for less entropy; the best permutation costs %v and independent rows %v", epsilon, value, last, least, mean)
		}
		last = value
		switch {
		case epsilon == 0.01 && value > 1.05*least, epsilon == 1000 && value < 0.99*mean:
			t.Errorf("ε = %v: the plan costs %v: the best permutation costs %v and independent rows %v", epsilon, value, least, mean)
		}
	}
}

// What doesn't converge is an error that says how far it is off, and Plan gives it all the same.
func TestEntropicNotConverged(t *testing.T) {
	x, y := normal(1, 50, 2, 1), normal(2, 50, 2, 1)
	hasty := coupling.Entropic{Epsilon: 0.01, Iterations: 3}
	_, err := hasty.Pair(rand.New(rand.NewPCG(1, 1)), x, y, nil)
	gomlxtest.Says(t, "three iterations", err, "after 3 iterations a row of the source comes")
	_, off, err := hasty.Plan(x, y)
	if err != nil || !(off > 0.01) {
		t.Errorf("it is off by %v, %v", off, err)
	}
	for want, e := range map[string]coupling.Entropic{"Epsilon is -1": {Epsilon: -1}, "Tolerance -1": {Tolerance: -1}, "Iterations -1": {Iterations: -1}, "Epsilon is NaN": {Epsilon: math.NaN()}} {
		_, err := e.Pair(nil, x, y, nil)
		gomlxtest.Says(t, want, err, want)
	}
}

func BenchmarkEntropic(b *testing.B) {
	x, y := normal(1, 512, 16, 1), normal(2, 512, 16, 1)
	random := rand.New(rand.NewPCG(1, 1))
	for b.Loop() {
		if _, err := (coupling.Entropic{}).Pair(random, x, y, nil); err != nil {
			b.Fatal(err)
		}
	}
}

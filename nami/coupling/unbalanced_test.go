package coupling_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/nami-flow/go-nami/nami/coupling"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"github.com/gomlx/gomlx/core/tensors"
)

// Couplings that leave events out keep the rules of couplings.
func TestLeavingOutPasses(t *testing.T) {
	for _, c := range []coupling.Coupling{
		coupling.Unbalanced{Target: 2}, coupling.Unbalanced{Target: 0.5, Epsilon: 0.3, Iterations: 5000}, coupling.Partial{LeaveOut: 0.3}, coupling.Partial{LeaveOut: 0.01},
	} {
		if err := coupling.Check(c); err != nil {
			t.Error(err)
		}
		if coupling.TakesContexts(c) {
			t.Errorf("%v takes contexts", c)
		}
	}
}

// One row of the data that is further from all of the source than the other by a cost D has
// exp(-D/(ε+τ)) of its mass.
func TestUnbalancedPlan(t *testing.T) {
	// In the plane: both rows of the source at (0, ±1), the data on the other axis.
	source := tensors.FromValue([][]float64{{0, 1}, {0, -1}})
	for _, c := range []struct{ far, epsilon, tau float64 }{{1, 0.5, 2}, {3, 0.5, 2}, {3, 2, 0.4}, {40, 1, 3}} {
		target := tensors.FromValue([][]float64{{0, 0}, {c.far, 0}})
		u := coupling.Unbalanced{Target: c.tau, Epsilon: c.epsilon, Tolerance: 1e-13, Iterations: 100_000}
		plan, off, err := u.Plan(source, target)
		ratio := math.Exp(-c.far * c.far / (c.epsilon + c.tau))
		near := 0.5 / (1 + ratio)
		gomlxtest.Near(t, u.String(), gomlxtest.Floats(t, plan, err), []float64{near, near, near * ratio, near * ratio}, 1e-10)
		if off > 1e-12 {
			t.Errorf("%v is off by %v", u, off)
		}
	}
	// One row each, both relaxed: π = exp(-cost/(ε+τ+σ)).
	one := coupling.Unbalanced{Target: 2, Source: 3, Epsilon: 0.5, Tolerance: 1e-13, Iterations: 100_000}
	plan, _, err := one.Plan(tensors.FromValue([]float64{0}), tensors.FromValue([]float64{2}))
	gomlxtest.Near(t, "one row each", gomlxtest.Floats(t, plan, err), []float64{math.Exp(-4 / 5.5)}, 1e-10)
}

// The plan of any rows is the least: the derivative of what is minimised by the mass of a pair,
// cost + ε·log(n²π) + τ·log(n·row), plus the same of columns where they are relaxed, depends on the
// column alone, or is 0; what is minimised is convex, so that nothing else is. Columns that aren't
// relaxed add up to 1/n.
func TestUnbalancedIsLeast(t *testing.T) {
	const n = 25
	x, y := normal(1, n, 2, 1), normal(2, n, 2, 4)
	xs, ys := gomlxtest.Floats(t, x, nil), gomlxtest.Floats(t, y, nil)
	for _, u := range []coupling.Unbalanced{
		{Target: 2, Epsilon: 1}, {Target: 30, Epsilon: 0.4}, {Target: 2, Source: 5, Epsilon: 0.5}, {Target: 0.2, Source: 0.3, Epsilon: 0.05},
	} {
		u.Tolerance, u.Iterations = 1e-12, 1_000_000
		plan, _, err := u.Plan(x, y)
		p := gomlxtest.Floats(t, plan, err)
		rows, columns := make([]float64, n), make([]float64, n)
		for at, v := range p {
			rows[at/n], columns[at%n] = rows[at/n]+v, columns[at%n]+v
		}
		for j := range n {
			first := 0.0
			for i := range n {
				cost := math.Pow(ys[2*i]-xs[2*j], 2) + math.Pow(ys[2*i+1]-xs[2*j+1], 2)
				slope := cost + u.Epsilon*math.Log(n*n*p[i*n+j]) + u.Target*math.Log(n*rows[i])
				if u.Source > 0 {
					slope += u.Source * math.Log(n*columns[j])
				} else if i == 0 {
					first = slope
				}
				if p[i*n+j] > 1e-200 && math.Abs(slope-first) > 1e-7*(1+cost) {
					t.Fatalf("%v: the slope at %d, %d is %v, expected %v", u, i, j, slope, first)
				}
			}
			if u.Source == 0 && math.Abs(n*columns[j]-1) > 1e-9 {
				t.Errorf("%v: column %d adds up to %v of 1/%d", u, j, n*columns[j], n)
			}
		}
	}
}

// Partial transport is the cheapest of all ways to leave out so many rows of the data, by trying
// them all.
func TestPartialIsLeast(t *testing.T) {
	const n, out = 6, 2
	for seed := range uint64(20) {
		x, y := normal(seed, n, 2, 1), normal(seed+100, n, 2, 3)
		xs, ys := gomlxtest.Floats(t, x, nil), gomlxtest.Floats(t, y, nil)
		cost := func(i, j int) float64 { return math.Pow(ys[2*i]-xs[2*j], 2) + math.Pow(ys[2*i+1]-xs[2*j+1], 2) }
		rows, err := coupling.Partial{LeaveOut: float64(out) / n}.Pair(rand.New(rand.NewPCG(seed, 1)), x, y, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, left := 0.0, 0
		used := map[int]bool{}
		for i, j := range rows {
			if j == coupling.LeftOut {
				left++
				continue
			}
			got, used[j] = got+cost(i, j), true
		}
		if left != out || len(used) != n-out {
			t.Fatalf("it pairs %v", rows)
		}
		least := math.Inf(1)
		var try func(j int, taken [n]bool, sum float64)
		try = func(j int, taken [n]bool, sum float64) {
			for j < n && !used[j] {
				j++
			}
			if j == n {
				least = min(least, sum)
				return
			}
			for i := range n {
				if !taken[i] {
					next := taken
					next[i] = true
					try(j+1, next, sum+cost(i, j))
				}
			}
		}
		try(0, [n]bool{}, 0)
		if math.Abs(got-least) > 1e-9 {
			t.Errorf("it costs %v, and the least is %v", got, least)
		}
	}
}

// Outliers that are planted among the data are left out, and nearly no others are.
func TestOutliersAreLeftOut(t *testing.T) {
	const n, outliers = 200, 10
	x, y := normal(1, n, 2, 1), normal(2, n, 2, 1)
	y.MustMutableFlatData(func(flat any) {
		for i := range outliers {
			flat.([]float64)[2*i] += 30
		}
	})
	for _, c := range []struct {
		coupling coupling.Coupling
		most     float64 // of the others
	}{{coupling.Partial{LeaveOut: float64(outliers) / n}, 0}, {coupling.Unbalanced{Target: 20, Epsilon: 0.5}, 0.4}} {
		out := 0
		for call := range uint64(20) {
			rows, err := c.coupling.Pair(rand.New(rand.NewPCG(call, 1)), x, y, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, row := range rows {
				if i < outliers && row != coupling.LeftOut {
					t.Errorf("%v: outlier %d is paired", c.coupling, i)
				}
				if i >= outliers && row == coupling.LeftOut {
					out++
				}
			}
		}
		if share := float64(out) / 20 / (n - outliers); share > c.most {
			t.Errorf("%v: %.2f of the others are left out", c.coupling, share)
		}
	}
}

func TestBadLeavingOut(t *testing.T) {
	x := normal(1, 8, 2, 1)
	for want, c := range map[string]coupling.Coupling{
		"Target is 0 and Source 0": coupling.Unbalanced{}, "Source -1": coupling.Unbalanced{Target: 1, Source: -1}, "Target is +Inf": coupling.Unbalanced{Target: math.Inf(1)},
		"Epsilon is -1": coupling.Unbalanced{Target: 1, Epsilon: -1}, "LeaveOut is 0": coupling.Partial{}, "LeaveOut is 1": coupling.Partial{LeaveOut: 1}, "LeaveOut is NaN": coupling.Partial{LeaveOut: math.NaN()},
		"after 1 iterations": coupling.Unbalanced{Target: 100, Epsilon: 1e-3, Iterations: 1},
	} {
		_, err := c.Pair(rand.New(rand.NewPCG(1, 1)), x, normal(2, 8, 2, 1), nil)
		gomlxtest.Says(t, want, err, want)
	}
}

func BenchmarkUnbalanced(b *testing.B) {
	x, y := normal(1, 512, 16, 1), normal(2, 512, 16, 1)
	random := rand.New(rand.NewPCG(1, 1))
	for b.Loop() {
		if _, err := (coupling.Unbalanced{Target: 30}).Pair(random, x, y, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPartial(b *testing.B) {
	x, y := normal(1, 512, 16, 1), normal(2, 512, 16, 1)
	random := rand.New(rand.NewPCG(1, 1))
	for b.Loop() {
		if _, err := (coupling.Partial{LeaveOut: 0.1}).Pair(random, x, y, nil); err != nil {
			b.Fatal(err)
		}
	}
}

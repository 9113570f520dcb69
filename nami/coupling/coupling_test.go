package coupling_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/coupling"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/tests/property"

	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"
)

func TestOurCouplingsPass(t *testing.T) {
	for _, c := range []coupling.Coupling{coupling.Independent{}, coupling.OptimalTransport{}} {
		if err := coupling.Check(c); err != nil {
			t.Error(err)
		}
	}
}

func TestIndependentIsTheIdentity(t *testing.T) {
	x := tensors.FromValue([]float64{3, 1, 2})
	pair, err := coupling.Independent{}.Pair(nil, x, x, nil)
	if err != nil || !slices.Equal(pair, []int{0, 1, 2}) {
		t.Errorf("got %v (%v), expected each row with itself", pair, err)
	}
}

// cost is the sum of squared distances of pairs.
func cost(source, target [][]float64, pair []int) (sum float64) {
	for i, j := range pair {
		for k := range target[i] {
			sum += (target[i][k] - source[j][k]) * (target[i][k] - source[j][k])
		}
	}
	return sum
}

// permutations calls f with every permutation of 0…n-1.
func permutations(n int, f func(p []int)) {
	var extend func(p []int)
	extend = func(p []int) {
		if len(p) == n {
			f(p)
		}
		for i := range n {
			if !slices.Contains(p, i) {
				extend(append(slices.Clip(p), i))
			}
		}
	}
	extend(nil)
}

// Costs of any kind are assigned, such as ones that aren't distances.
func TestAssign(t *testing.T) {
	costs := []float64{4, -1, 3, 2, 0, 5, 3, 2, 2}
	got, err := coupling.Assign(costs, 3)
	if err != nil || !slices.Equal(got, []int{1, 0, 2}) {
		t.Errorf("got %v, %v", got, err)
	}
	if none, err := coupling.Assign(nil, 0); err != nil || len(none) != 0 {
		t.Errorf("of nothing: %v, %v", none, err)
	}
	_, err = coupling.Assign(costs, 2)
	gomlxtest.Says(t, "not square", err, "coupling.Assign: there are 9 costs for 2 rows: give a square matrix, 4")
	_, err = coupling.Assign([]float64{1, 2, math.Inf(1), 3}, 2)
	gomlxtest.Says(t, "infinite", err, "cost 0 of row 1 is +Inf")
}

// No permutation costs less, with ties and points that occur twice too.
func TestOptimalTransportIsOptimal(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		n, d := rapid.IntRange(1, 6).Draw(t, "n"), rapid.IntRange(1, 3).Draw(t, "d")
		coordinate := rapid.Float64Range(-1e3, 1e3)
		if rapid.Bool().Draw(t, "on a grid") {
			coordinate = rapid.Map(rapid.IntRange(0, 2), func(i int) float64 { return float64(i) })
		}
		points := rapid.SliceOfN(rapid.SliceOfN(coordinate, d, d), n, n)
		source, target := points.Draw(t, "source"), points.Draw(t, "target")
		pair, err := coupling.OptimalTransport{}.Pair(nil, tensors.FromValue(source), tensors.FromValue(target), nil)
		if err != nil {
			t.Fatal(err)
		}
		least := math.Inf(1)
		permutations(n, func(p []int) { least = min(least, cost(source, target, p)) })
		if got := cost(source, target, pair); !(got <= least*(1+1e-12)+1e-12) {
			t.Fatalf("%v costs %v, the best permutation %v", pair, got, least)
		}
	})
}

// On a line, the optimum pairs the values in their order.
func TestOptimalTransportSortsOnALine(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 0))
	for _, n := range []int{2, 50, 200} {
		source, target := make([]float32, n), make([]float32, n)
		for i := range n {
			source[i], target[i] = float32(rng.NormFloat64()), float32(5+rng.ExpFloat64())
		}
		pair, err := coupling.OptimalTransport{}.Pair(nil, tensors.FromValue(source), tensors.FromValue(target), nil)
		if err != nil {
			t.Fatal(err)
		}
		rows := make([]int, n)
		for i := range rows {
			rows[i] = i
		}
		slices.SortFunc(rows, func(i, j int) int { return cmp.Compare(target[i], target[j]) })
		for k := 1; k < n; k++ {
			if source[pair[rows[k-1]]] > source[pair[rows[k]]] {
				t.Fatalf("n = %d: target %v goes with source %v, and the larger %v with the smaller %v", n,
					target[rows[k-1]], source[pair[rows[k-1]]], target[rows[k]], source[pair[rows[k]]])
			}
		}
	}
}

// A shift of all data changes no pair, and data that is a permuted copy of the noise finds
// it.
func TestOptimalTransportFindsCopies(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 0))
	const n, d = 60, 3
	permutation := rng.Perm(n)
	source, target := make([][]float64, n), make([][]float64, n)
	for i := range n {
		for range d {
			source[i] = append(source[i], rng.NormFloat64())
		}
	}
	for i, j := range permutation {
		for k := range d {
			target[i] = append(target[i], source[j][k]+10*float64(k))
		}
	}
	pair, err := coupling.OptimalTransport{}.Pair(nil, tensors.FromValue(source), tensors.FromValue(target), nil)
	if err != nil || !slices.Equal(pair, permutation) {
		t.Errorf("got %v (%v), expected %v", pair, err, permutation)
	}
}

func TestOptimalTransportRefusesWhatOverflows(t *testing.T) {
	_, err := coupling.OptimalTransport{}.Pair(nil, tensors.FromValue([]float64{0, 1}), tensors.FromValue([]float64{0, 1e200}), nil)
	want := "target (data) row 1 and source (noise) row 0 overflows"
	gomlxtest.Says(t, want, err, want)
}

func TestValidate(t *testing.T) {
	two, three := tensors.FromValue([][]float64{{1, 2}, {3, 4}}), tensors.FromValue([][]float64{{1, 2}, {3, 4}, {5, 6}})
	for want, c := range map[string][2]*tensors.Tensor{
		"source (noise) is nil": {nil, two},
		"source (noise) is (Float64)[2, 2] and target (data) (Float64)[3, 2]": {two, three},
		"target (data) is (Int32)[1]: expected Float32 or Float64":            {two, tensors.FromValue([]int32{1})},
		"value 1 of target (data), of shape (Float64)[2], is NaN":             {tensors.FromValue([]float64{1, 2}), tensors.FromValue([]float64{1, math.NaN()})},
		"source and target have shape (): expected rows of events":            {tensors.FromValue(1.), tensors.FromValue(2.)},
		"source and target have shape (0, 2)":                                 {tensors.FromFlatDataAndDimensions([]float64{}, 0, 2), tensors.FromFlatDataAndDimensions([]float64{}, 0, 2)},
	} {
		err := coupling.Validate(c[0], c[1], nil)
		gomlxtest.Says(t, "coupling.Validate", err, want)
	}
}

// broken couplings are what Check is for.
type broken func(source, target *tensors.Tensor) ([]int, error)

func (b broken) Pair(_ *rand.Rand, source, target, _ *tensors.Tensor) ([]int, error) {
	return b(source, target)
}

func TestCheckFindsBrokenCouplings(t *testing.T) {
	identity := func(source, target *tensors.Tensor) ([]int, error) {
		return coupling.Independent{}.Pair(nil, source, target, nil)
	}
	calls := 0
	for want, c := range map[string]coupling.Coupling{
		"the coupling is nil": nil,
		"row 0 of the source came 800 times in 400 calls": broken(func(source, target *tensors.Tensor) ([]int, error) {
			pair, err := identity(source, target)
			clear(pair)
			return pair, err
		}),
		"Pair returned 2 rows: it must return one for each of the 1": broken(func(source, target *tensors.Tensor) ([]int, error) {
			return append([]int{0}, make([]int, source.Shape().Dim(0))...), nil
		}),
		"when it was called again: the same batches and the same random numbers": broken(func(source, target *tensors.Tensor) ([]int, error) {
			pair, err := identity(source, target)
			if calls++; calls%2 == 1 {
				slices.Reverse(pair)
			}
			return pair, err
		}),
		"the row 7 of a source of 1: rows are 0 to 0": broken(func(source, target *tensors.Tensor) ([]int, error) {
			pair, err := identity(source, target)
			if len(pair) > 0 {
				pair[0] = 7
			}
			return pair, err
		}),
		"Pair changed the source or the target": broken(func(source, target *tensors.Tensor) ([]int, error) {
			target.MustMutableFlatData(func(flat any) {
				if flat, ok := flat.([]float32); ok {
					flat[0]++
				}
			})
			return identity(source, target)
		}),
		"Pair accepted a target with a NaN": broken(func(source, target *tensors.Tensor) ([]int, error) {
			if source == nil || target == nil || !source.Shape().Equal(target.Shape()) {
				return nil, fmt.Errorf("source and target differ")
			}
			pair := make([]int, source.Shape().Dim(0))
			for i := range pair {
				pair[i] = i
			}
			return pair, nil
		}),
		"a target that is nil (swapped: false), which must be an error: Pair panicked": broken(func(source, target *tensors.Tensor) ([]int, error) {
			if target.Rank() < 0 {
				return nil, nil
			}
			return identity(source, target)
		}),
		"Pair failed: always": broken(func(_, _ *tensors.Tensor) ([]int, error) { return nil, fmt.Errorf("always") }),
	} {
		err := coupling.Check(c)
		gomlxtest.Says(t, "coupling.Check", err, want)
	}
}

// drawn draws a row for each event by itself, with as much weight on each as it says.
type drawn struct{ weight func(row, n int) int }

func (d drawn) Pair(random *rand.Rand, source, target, context *tensors.Tensor) (rows []int, err error) {
	if err := coupling.Validate(source, target, context); err != nil {
		return nil, err
	}
	n := source.Shape().Dim(0)
	var all []int
	for row := range n {
		all = append(all, slices.Repeat([]int{row}, d.weight(row, n))...)
	}
	for range n {
		rows = append(rows, all[random.IntN(len(all))])
	}
	return rows, nil
}

func (d drawn) PairsWithinContexts() bool { return true }

// Rows may come twice, as long as all come equally often in the end.
func TestCheckOfDrawnPairs(t *testing.T) {
	if err := coupling.Check(drawn{func(int, int) int { return 1 }}); err != nil {
		t.Errorf("rows drawn with replacement: %v", err)
	}
	err := coupling.Check(drawn{func(row, n int) int { return 1 + row/(n-1+1/n) }}) // the last one twice as often
	if err == nil || !strings.Contains(err.Error(), "every row must come as often as any other") {
		t.Errorf("one row drawn twice as often: got %v", err)
	}
}

// withContexts is a coupling that takes contexts.
type withContexts func(source, target, context *tensors.Tensor) ([]int, error)

func (c withContexts) Pair(_ *rand.Rand, source, target, context *tensors.Tensor) ([]int, error) {
	return c(source, target, context)
}

func (withContexts) PairsWithinContexts() bool { return true }

func TestCheckOfContexts(t *testing.T) {
	for want, c := range map[string]withContexts{
		"Pair changed the context": func(source, target, context *tensors.Tensor) ([]int, error) {
			if context != nil {
				context.MustMutableFlatData(func(flat any) {
					if flat, ok := flat.([]float64); ok {
						flat[0]++
					}
				})
			}
			return coupling.Independent{}.Pair(nil, source, target, context)
		},
		"Pair accepted a context of 5 rows for a target of 4": func(source, target, _ *tensors.Tensor) ([]int, error) {
			return coupling.Independent{}.Pair(nil, source, target, nil)
		},
		"Pair accepted a context with a NaN": func(source, target, context *tensors.Tensor) ([]int, error) {
			if context != nil && (context.Rank() == 0 || context.Shape().Dim(0) != target.Shape().Dim(0)) {
				return nil, fmt.Errorf("context and target differ")
			}
			return coupling.Independent{}.Pair(nil, source, target, nil)
		},
		"Pair was given a context of 5 rows for a target of 4, which must be an error: Pair panicked: contexts (at coupling/coupling_test.go:": func(source, target, context *tensors.Tensor) ([]int, error) {
			if context != nil && target != nil && context.Shape().Dim(0) != target.Shape().Dim(0) {
				panic("contexts")
			}
			return coupling.Independent{}.Pair(nil, source, target, context)
		},
	} {
		err := coupling.Check(c)
		gomlxtest.Says(t, "coupling.Check", err, want)
	}
}

func TestTakesContexts(t *testing.T) {
	for _, c := range []struct {
		coupling coupling.Coupling
		want     bool
	}{{coupling.Independent{}, true}, {coupling.OptimalTransport{}, false}, {drawn{}, true}} {
		if got := coupling.TakesContexts(c.coupling); got != c.want {
			t.Errorf("%T takes contexts: %v, expected %v", c.coupling, got, c.want)
		}
	}
	x := tensors.FromValue([][]float32{{1}, {2}})
	err := coupling.Validate(x, x, tensors.FromValue([]float32{1, 2, 3}))
	if err == nil || !strings.Contains(err.Error(), "the context is (Float32)[3]") {
		t.Errorf("three contexts of two events: got %v", err)
	}
}

func BenchmarkOptimalTransport(b *testing.B) {
	for _, n := range []int{256, 1024} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 0))
			x, y := make([]float32, 2*n), make([]float32, 2*n)
			for i := range x {
				x[i], y[i] = float32(rng.NormFloat64()), float32(rng.NormFloat64()*2+1)
			}
			source, target := tensors.FromFlatDataAndDimensions(x, n, 2), tensors.FromFlatDataAndDimensions(y, n, 2)
			for b.Loop() {
				if _, err := (coupling.OptimalTransport{}).Pair(nil, source, target, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package metric

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/combin"
)

// FastC2ST is a classifier two-sample test without a network: Value is the share of events that a
// classifier is right about, each sample counting a half. It is linear in the values, their products and
// 200 random waves (as [LocalC2ST]'s), fitted by least squares to one half of the events, drawn at
// random with the seed, and asked about the other. It takes a second for 10⁵ events, and sees smooth
// differences about as well as [C2ST], which is the one to compare with published numbers; of fine
// structure it sees less.
//
// x and y are float32 or float64 [n]+event and [m]+event with at least 10 events each. P is exact: given
// how many events the classifier takes for ones of y, how many of them are is hypergeometric if both
// are of one distribution (Fisher's exact test). [Weights], which must not be negative, weigh the
// events in fitting and in Value; P is then the normal approximation with Kish's effective numbers.
// Errors are as for [Nearest]; ctx is looked at between blocks of events.
func FastC2ST(ctx context.Context, x, y *tensors.Tensor, seed int64, settings ...Option) (Test, error) {
	a, b, err := readPair("FastC2ST", x, y, settings)
	if err != nil {
		return Test{}, err
	}
	err = cmp.Or(a.notNegative("x"), b.notNegative("y"))
	if err == nil && min(a.count, b.count) < 10 {
		err = fmt.Errorf("the samples have %d and %d events: give at least 10 of each", a.count, b.count)
	}
	var test Test
	if err == nil {
		test, err = fastC2ST(ctx, a, b, seed)
	}
	if err != nil {
		return Test{}, fmt.Errorf("metric.FastC2ST: %w", err)
	}
	return test, nil
}

func fastC2ST(ctx context.Context, a, b events, seed int64) (Test, error) {
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	var fitted, asked [2]events
	for i, e := range []events{a, b} {
		e = e.pick(random.Perm(e.count))
		fitted[i], asked[i] = e.part(0, e.count/2).normalised(), e.part(e.count/2, e.count).normalised()
		for _, half := range []events{fitted[i], asked[i]} {
			if n := half.effective(); !(n > 1) {
				return Test{}, fmt.Errorf("half of sample %d has an effective number of %.2g events: its weights are too unequal", i+1, n)
			}
		}
	}
	f := newFeatures(random, joined(fitted[0], fitted[1]))
	gram, targets := mat.NewSymDense(f.count(), nil), mat.NewDense(f.count(), 1, nil)
	for i, e := range fitted {
		err := f.blocks(ctx, e, func(first int, rows *mat.Dense) error {
			n, _ := rows.Dims()
			for r := range n {
				row, w := rows.RawRowView(r), e.weight(first+r)
				for k, v := range row {
					targets.Set(k, 0, targets.At(k, 0)+w*float64(2*i-1)*v)
					row[k] = v * math.Sqrt(w)
				}
			}
			gram.SymRankK(gram, 1, rows.T())
			return nil
		})
		if err != nil {
			return Test{}, err
		}
	}
	coefficients, err := leastSquares(gram, targets, 2)
	if err != nil {
		return Test{}, err
	}
	var taken [2]float64 // for y, as a share of each sample
	var counts [2]int
	for i, e := range asked {
		err := f.blocks(ctx, e, func(first int, rows *mat.Dense) error {
			var guesses mat.Dense
			guesses.Mul(rows, coefficients)
			n, _ := rows.Dims()
			for r := range n {
				if guesses.At(r, 0) > 0 {
					taken[i] += e.weight(first + r)
					counts[i]++
				}
			}
			return nil
		})
		if err != nil {
			return Test{}, err
		}
	}
	test := Test{
		Name: "fast C2ST", Value: (1 + taken[1] - taken[0]) / 2,
		Means: "share of events that a simple classifier is right about; ½ where it can't tell the samples apart, 1 if it always can",
	}
	if a.weights == nil && b.weights == nil {
		return test.hypergeometric(counts, [2]int{asked[0].count, asked[1].count}), nil
	}
	n, m := asked[0].effective(), asked[1].effective()
	rate := (n*taken[0] + m*taken[1]) / (n + m)
	return test.normal(0.5, math.Sqrt(rate*(1-rate)*(1/n+1/m))/2, above), nil
}

// blocks gives the features of some events at a time.
func (f *features) blocks(ctx context.Context, e events, each func(first int, rows *mat.Dense) error) error {
	for first := 0; first < e.count; first += blockOfEvents {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := each(first, f.of(e, first, min(first+blockOfEvents, e.count))); err != nil {
			return err
		}
	}
	return nil
}

// hypergeometric fills in P, Low and High for the share that is right, where so many of each sample,
// of numbers in all, were taken for the second.
func (t Test) hypergeometric(taken, numbers [2]int) Test {
	n, m, all := numbers[0], numbers[1], taken[0]+taken[1]
	least, most := max(0, all-n), min(all, m)
	total := combin.LogGeneralizedBinomial(float64(n+m), float64(all))
	right := func(k int) float64 { return (1 + float64(k)/float64(m) - float64(all-k)/float64(n)) / 2 }
	more := 0.0 // the probability of k or more
	t.P, t.Low, t.High = 0, math.Inf(-1), right(most)
	for k := most; k >= least; k-- {
		more += math.Exp(combin.LogGeneralizedBinomial(float64(m), float64(k)) + combin.LogGeneralizedBinomial(float64(n), float64(all-k)) - total)
		if more <= 1-BandMass {
			t.High = right(max(least, k-1))
		}
		if k == taken[1] {
			t.P = min(1, more)
		}
	}
	return t
}

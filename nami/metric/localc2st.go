package metric

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"
)

// LocalC2ST tests whether a posterior is right at one observation (Linhart, Gramfort & Rodrigues
// 2023, arXiv:2306.03580). A classifier learns to tell pairs of a true parameter and its observation
// from pairs of a posterior's draw and the observation that it was drawn for. At an observation, the
// statistic is the mean of (d - ½)² over the posterior's draws, where d is the probability that the
// classifier gives: 0 where it can't tell. Its null distribution comes from classifiers that learn
// the same pairs after truth and draw have been exchanged at random, for each observation by itself,
// which changes nothing if the posterior is right at all observations.
//
// The classifier is linear in the values, their products and 200 random waves, fitted by least
// squares, so that all classifiers of the null distribution cost one decomposition. It sees errors of
// location, spread and correlation, and of the shape if it is smooth.
type LocalC2ST struct {
	features     *features
	coefficients *mat.Dense // column 0 is that of the pairs, the others those of exchanged ones
	parameters   int
	context      int
}

// LocalC2STPermutations is how many exchanges the null distribution of [LocalC2ST] is made of.
const LocalC2STPermutations = 199

// TrainLocalC2ST fits the classifiers of a [LocalC2ST]. truths are the parameters, [n]+event, that
// contexts, [n]+context, were simulated with, drawn from the prior; draws are one draw of the
// posterior given each context, [n]+event. All are float32 or float64, and n is at least 10; a few
// thousand are usual. It takes n·400² operations or so, and more where events have many values.
//
// Values that aren't finite and shapes that don't fit are errors. ctx is looked at between blocks of
// events.
func TrainLocalC2ST(ctx context.Context, truths, draws, contexts *tensors.Tensor, seed int64) (*LocalC2ST, error) {
	l, err := trainLocal(ctx, truths, draws, contexts, seed)
	if err != nil {
		return nil, fmt.Errorf("metric.TrainLocalC2ST: %w", err)
	}
	return l, nil
}

func trainLocal(ctx context.Context, truths, draws, contexts *tensors.Tensor, seed int64) (*LocalC2ST, error) {
	var all [3]events
	for i, name := range []string{"truths", "draws", "contexts"} {
		var err error
		if all[i], err = readEvents(name, []*tensors.Tensor{truths, draws, contexts}[i]); err != nil {
			return nil, err
		}
	}
	t, d, c := all[0], all[1], all[2]
	if err := sameEvent("truths", truths, "draws", draws); err != nil {
		return nil, err
	}
	if t.count != d.count || t.count != c.count || t.count < 10 {
		return nil, fmt.Errorf("there are %d truths, %d draws and %d contexts: give one draw and one context for each truth, and at least 10", t.count, d.count, c.count)
	}
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	right, wrong := beside(t, c), beside(d, c)
	l := &LocalC2ST{parameters: t.size, context: c.size, features: newFeatures(random, joined(right, wrong))}
	size := l.features.count()
	gram, targets := mat.NewSymDense(size, nil), mat.NewDense(size, 1+LocalC2STPermutations, nil)
	for first := 0; first < t.count; first += blockOfEvents {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		end := min(first+blockOfEvents, t.count)
		a, b := l.features.of(right, first, end), l.features.of(wrong, first, end)
		gram.SymRankK(gram, 1, a.T())
		gram.SymRankK(gram, 1, b.T())
		signs := mat.NewDense(end-first, 1+LocalC2STPermutations, nil)
		for i := range end - first {
			row := signs.RawRowView(i)
			row[0] = 1
			for p := 1; p < len(row); p++ {
				row[p] = float64(2*random.IntN(2) - 1)
			}
		}
		b.Sub(b, a)
		var part mat.Dense
		part.Mul(b.T(), signs)
		targets.Add(targets, &part)
	}
	var err error
	l.coefficients, err = leastSquares(gram, targets, float64(2*t.count))
	return l, err
}

// beside are events with the values of both.
func beside(a, b events) events {
	out := events{count: a.count, size: a.size + b.size}
	for i := range a.count {
		out.flat = append(append(out.flat, a.row(i)...), b.row(i)...)
	}
	return out
}

// Test tests the posterior at an observation, of the context's shape, by its draws, [m]+event, of
// which some hundreds are enough. Of several observations, adjust the p-values by [Holm].
func (l *LocalC2ST) Test(observation, draws *tensors.Tensor) (Test, error) {
	o, err := readAny("observation", observation)
	if err == nil && o.count*o.size != l.context { // its axes are those of one context
		err = fmt.Errorf("observation is %s, and a context has %d values: give one context", observation.Shape(), l.context)
	}
	var d events
	if err == nil {
		d, err = readEvents("draws", draws)
	}
	if err == nil && (d.size != l.parameters || d.count == 0) {
		err = fmt.Errorf("draws is %s, and a parameter has %d values: give [m]+event", draws.Shape(), l.parameters)
	}
	for _, v := range o.flat {
		if err == nil && v-v != 0 {
			err = fmt.Errorf("observation has the value %g: it must be finite", v)
		}
	}
	if err != nil {
		return Test{}, fmt.Errorf("metric.LocalC2ST.Test: %w", err)
	}
	same := events{count: d.count, size: l.context}
	for range d.count {
		same.flat = append(same.flat, o.flat...)
	}
	at := beside(d, same)
	values := make([]float64, 1+LocalC2STPermutations)
	for first := 0; first < at.count; first += blockOfEvents {
		var guesses mat.Dense
		guesses.Mul(l.features.of(at, first, min(first+blockOfEvents, at.count)), l.coefficients)
		rows, _ := guesses.Dims()
		for i := range rows {
			for p, v := range guesses.RawRowView(i) { // from -1, for truths, to 1, for draws
				v = math.Max(-1, math.Min(1, v)) / 2
				values[p] += v * v / float64(at.count)
			}
		}
	}
	return Test{
		Name: "local C2ST", Value: values[0],
		Means: "mean of (d - ½)² for the probability d that a classifier gives the posterior's draws: 0 where the posterior is right, ¼ at most",
	}.counted(values[1:], above), nil
}

package metric

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/stat"
)

// C2ST is the classifier two-sample test (Lopez-Paz & Oquab 2017, arXiv:1610.06545): Value is how
// often a network tells events of x from those of y that it wasn't trained on, ½ if it can't, and 1
// if it always does. The recipe is that of the benchmark of simulation-based inference (Lueckmann et
// al. 2021, arXiv:2101.04653), so that numbers compare with published ones: all events in units of
// the mean and deviation of x; two hidden layers of ten units for each value of an event, with
// ReLU; Adam with a rate of 1e-3 on batches of 200 and a penalty of 10⁻⁴ on squared weights, until
// the loss of ten epochs in a row hasn't fallen by 10⁻⁴, 1,000 epochs at most; the mean over five
// folds that are left out in turn.
//
// x and y are float32 or float64 [n]+event and [m]+event with at least 5 events each; of the larger
// sample as many are drawn at random with the seed as the smaller one has, so that a half is what
// chance would get. P is that of the number of events told right if each were by chance alone.
// [Weights], which must not be negative, weigh the events in training and in Value, where each
// sample counts a half, and P takes Kish's effective number of events.
//
// A fold takes seconds for ten thousand events of a few values. ctx is looked at between batches.
// Errors are as for [Nearest].
func C2ST(ctx context.Context, backend compute.Backend, x, y *tensors.Tensor, seed int64, settings ...Option) (Test, error) {
	a, b, err := readPair("C2ST", x, y, settings)
	if err != nil {
		return Test{}, err
	}
	err = cmp.Or(a.notNegative("x"), b.notNegative("y"))
	if n := min(a.count, b.count); err == nil && n < folds {
		err = fmt.Errorf("the samples have %d and %d events: %d folds need at least as many of each", a.count, b.count, folds)
	}
	var test Test
	if err == nil {
		test, err = classified(ctx, backend, a, b, seed)
	}
	if err != nil {
		return Test{}, fmt.Errorf("metric.C2ST: %w", err)
	}
	return test, nil
}

const (
	folds         = 5
	unitsPerValue = 10
	mostPerBatch  = 200
	mostEpochs    = 1000
	patience      = 10
	leastProgress = 1e-4
	penalty       = 1e-4
	learningRate  = 1e-3
)

// labelled are the events of both samples in a random order, in units of x. Those of x are labelled
// 0, those of y 1; the weights of each sample have the mean 1.
type labelled struct {
	events, labels, weights []float64
	count, size             int
}

func classified(ctx context.Context, backend compute.Backend, a, b events, seed int64) (Test, error) {
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	n := min(a.count, b.count)
	mean, std := make([]float64, a.size), make([]float64, a.size)
	for k := range mean {
		mean[k], std[k] = stat.PopMeanStdDev(a.column(k), a.weights)
		if std[k] == 0 {
			std[k] = 1 // a constant has no scale
		}
	}
	a, b = a.pick(random.Perm(a.count)[:n]), b.pick(random.Perm(b.count)[:n])
	effective := 0.0
	all := labelled{count: 2 * n, size: a.size}
	order := random.Perm(2 * n)
	for label, sample := range []events{a, b} {
		if sample.weights != nil { // a part of the weights
			sum := 0.0
			for _, w := range sample.weights {
				sum += w
			}
			if !(sum > 0) {
				return Test{}, fmt.Errorf("all events that were drawn of sample %d have the weight 0", label)
			}
			for i := range sample.weights {
				sample.weights[i] /= sum
			}
		}
		effective += sample.effective()
	}
	for _, at := range order {
		sample, label := a, 0.0
		if at >= n {
			sample, label, at = b, 1, at-n
		}
		for k, v := range sample.row(at) {
			all.events = append(all.events, (v-mean[k])/std[k])
		}
		all.labels, all.weights = append(all.labels, label), append(all.weights, sample.weight(at)*float64(n))
	}
	right, err := crossValidate(ctx, backend, all, random)
	if err != nil {
		return Test{}, err
	}
	deviation := 0.5 / math.Sqrt(effective)
	return Test{
		Name: "C2ST", Value: right,
		Means: "share of events that a network is right about; ½ where it can't tell the samples apart, 1 if it always can",
	}.normal(0.5, deviation, above), nil
}

// crossValidate is the mean, over folds, of how often a classifier that is trained on the others is
// right.
func crossValidate(ctx context.Context, backend compute.Backend, all labelled, random *rand.Rand) (float64, error) {
	var train, test [folds][]int
	for i := range all.count {
		for f := range folds {
			if i*folds/all.count == f {
				test[f] = append(test[f], i)
			} else {
				train[f] = append(train[f], i)
			}
		}
	}
	c, err := newClassifiers(backend, all.size, len(train[0]), random)
	if err != nil {
		return 0, err
	}
	defer c.finalize()
	var accuracy, best [folds]float64
	var waited [folds]int
	done := 0
	for f := range best {
		best[f] = math.Inf(1)
	}
	for epoch := 1; epoch <= mostEpochs && done < folds; epoch++ {
		for f := range train {
			random.Shuffle(len(train[f]), func(i, j int) { train[f][i], train[f][j] = train[f][j], train[f][i] })
		}
		losses, err := c.epoch(ctx, all, train)
		if err != nil {
			return 0, fmt.Errorf("epoch %d: %w", epoch, err)
		}
		var ended []int
		for f, loss := range losses {
			if waited[f] > patience {
				continue
			}
			if loss > best[f]-leastProgress {
				waited[f]++
			} else {
				waited[f] = 0
			}
			best[f] = min(best[f], loss)
			if waited[f] > patience || epoch == mostEpochs {
				ended = append(ended, f)
			}
		}
		if len(ended) == 0 {
			continue
		}
		now, err := c.accuracy(all, test)
		if err != nil {
			return 0, err
		}
		for _, f := range ended {
			accuracy[f], waited[f] = now[f], patience+1
			done++
		}
	}
	return stat.Mean(slices.Clone(accuracy[:]), nil), nil
}

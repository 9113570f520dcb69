package metric

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/stat/combin"
)

// closestPercentile is the share of held-out events that are as near to the training data as what
// counts as a copy.
const closestPercentile = 0.01

// CopyTests say whether samples are nearer to the training data than new data would be.
type CopyTests struct {
	// Nearer is the probability that a sample is nearer to its nearest training event than a held-out
	// event is to its own, ½ if they are alike, tested by Mann and Whitney's ranks: the test of data
	// copying of Meehan, Chaudhuri & Dasgupta 2020 (arXiv:2004.05675). Small values mean that
	// samples are further away: worse, or more spread, than data.
	Nearer Test

	// Closest is the share of samples that are nearer to a training event than all but the nearest
	// hundredth of the held-out events, at least one: what a few copies among many samples
	// change.
	Closest Test

	// Nearest are the samples' nearest training events: the closest pairs are those to look at.
	Nearest Neighbours
}

// Copies tests whether samples copy the training data, all float32 or float64 [n]+event of one kind of
// event. heldOut are data that the model was not trained on: without them there is no telling how
// near to the training data new events are. It needs some 100 of them, and samples that were drawn
// without looking at either.
//
// P is exact for Closest, as the ranks of both samples' distances are mixed at random if they are
// alike, and by the normal law of the ranks for Nearer, for 10 events and more of each. Time is that
// of [Nearest]. Errors are as for it; no held-out event and no sample are errors, too.
func Copies(training, heldOut, samples *tensors.Tensor) (c CopyTests, err error) {
	for _, s := range []struct {
		name string
		x    *tensors.Tensor
	}{{"heldOut", heldOut}, {"samples", samples}} {
		e, err := readEvents(s.name, s.x)
		if err == nil && e.count == 0 {
			err = fmt.Errorf("%s is empty (shape %s): give at least one event", s.name, s.x.Shape())
		}
		if err != nil {
			return c, fmt.Errorf("metric.Copies: %w", err)
		}
	}
	held, err := Nearest(heldOut, training)
	if err != nil {
		return c, fmt.Errorf("metric.Copies: the held-out data: %w", err)
	}
	if c.Nearest, err = Nearest(samples, training); err != nil {
		return c, fmt.Errorf("metric.Copies: the samples: %w", err)
	}
	c.Nearer = nearer(c.Nearest.Distance, held.Distance)
	c.Closest = closest(c.Nearest.Distance, held.Distance)
	return c, nil
}

// nearer is the test of Mann and Whitney, whose law is normal for ten events of each and more.
func nearer(samples, held []float64) Test {
	type distance struct {
		of     float64
		sample bool
	}
	var all []distance
	for _, d := range samples {
		all = append(all, distance{d, true})
	}
	for _, d := range held {
		all = append(all, distance{d, false})
	}
	slices.SortFunc(all, func(a, b distance) int {
		if a.of < b.of {
			return -1
		} else if a.of > b.of {
			return 1
		}
		return 0
	})
	n, m := float64(len(samples)), float64(len(held))
	pairs, ties, after := 0.0, 0.0, m // of held-out events
	for at := 0; at < len(all); {
		end, here, others := at, 0.0, 0.0
		for ; end < len(all) && all[end].of == all[at].of; end++ {
			if all[end].sample {
				here++
			} else {
				others++
			}
		}
		after -= others
		pairs += here * (after + others/2)
		size := here + others
		ties += size * size * size
		ties -= size
		at = end
	}
	total := n + m
	variance := (total + 1 - ties/(total*(total-1))) / (12 * n * m)
	return Test{
		Name: "nearer to the training data than held-out data", Value: pairs / (n * m),
		Means: "probability that a sample is nearer to its nearest training event than a held-out event is; ½ if they are alike, 1 if samples are copies",
	}.normal(0.5, math.Sqrt(max(0, variance)), above)
}

// closest counts the samples before the k-th of the held-out distances: c or more are if, of the
// first c+k-1 of all distances, at least c are samples'.
func closest(samples, held []float64) Test {
	sorted := slices.Sorted(slices.Values(held))
	k := max(1, int(closestPercentile*float64(len(held))))
	count := 0
	for _, d := range samples {
		if d < sorted[k-1] {
			count++
		}
	}
	n, m := len(samples), len(held)
	t := Test{
		Name: "closest to the training data", Value: float64(count) / float64(n), Low: math.Inf(-1), High: 1,
		Means: fmt.Sprintf("share of samples nearer to a training event than all but %d of the %d held-out events; more are copies", k, m),
	}
	t.P = atLeast(count, k, n, m)
	for c := 1; c <= n; c++ {
		if atLeast(c, k, n, m) <= 1-BandMass {
			t.High = float64(c-1) / float64(n)
			break
		}
	}
	return t
}

// atLeast is the probability that c or more of n samples come before the k-th of m held-out
// events, in a random order of all.
func atLeast(c, k, n, m int) float64 {
	first := c + k - 1 // of which at least c are samples: at most k-1 held-out ones
	sum := 0.0
	for held := 0; held < k && held <= m; held++ {
		if s := first - held; s <= n && s >= c {
			sum += math.Exp(combin.LogGeneralizedBinomial(float64(m), float64(held)) +
				combin.LogGeneralizedBinomial(float64(n), float64(s)) - combin.LogGeneralizedBinomial(float64(n+m), float64(first)))
		}
	}
	return min(1, sum)
}

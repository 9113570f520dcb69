// Package metric holds the numbers that say how close samples are to data, and whether posteriors are
// calibrated, each beside what it is by chance: begin with [Compare].
package metric

import (
	"fmt"
	"math"
	"runtime"

	"github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sync/errgroup"
)

// Neighbours holds, for each event of a query, its nearest event of a reference.
type Neighbours struct {
	// Index[i] is the row of the reference that is nearest to row i of the query; the first of
	// several that are equally near.
	Index []int
	// Distance[i] is the Euclidean distance to it.
	Distance []float64
}

// Nearest returns the nearest neighbour in reference of each event in query, by
// Euclidean distance over the flattened event. Both are float32 or float64
// [n]+event with the same event shape. With labels for the reference it is the
// 1-nearest-neighbour classifier (Cover and Hart 1967), and its distances show copies
// of the training set among samples: compare them with [NearestOther] of the data.
//
// Every pair is compared, on all processors, in O(query·reference·size) time. An
// empty reference, different events, and values that are not finite are errors; an
// empty query gives an empty answer.
func Nearest(query, reference *tensors.Tensor) (Neighbours, error) {
	q, err := readEvents("query", query)
	if err != nil {
		return Neighbours{}, fmt.Errorf("metric.Nearest: %w", err)
	}
	r, err := readEvents("reference", reference)
	if err != nil {
		return Neighbours{}, fmt.Errorf("metric.Nearest: %w", err)
	}
	if err := sameEvent("query", query, "reference", reference); err != nil {
		return Neighbours{}, fmt.Errorf("metric.Nearest: %w", err)
	}
	if r.count == 0 {
		return Neighbours{}, fmt.Errorf("metric.Nearest: reference is empty (shape %s): give at least one event to be near to", reference.Shape())
	}
	return search(q, r, false)
}

// NearestOther returns, for each event of x, the nearest of its other events: the
// leave-one-out neighbour. x is float32 or float64 [n]+event with n ≥ 2. Two equal
// events are each other's neighbours at distance 0. Errors are as for [Nearest].
func NearestOther(x *tensors.Tensor) (Neighbours, error) {
	e, err := readEvents("x", x)
	if err != nil {
		return Neighbours{}, fmt.Errorf("metric.NearestOther: %w", err)
	}
	if e.count < 2 {
		return Neighbours{}, fmt.Errorf("metric.NearestOther: x has %d events (shape %s): give at least two, for one alone has no other", e.count, x.Shape())
	}
	return search(e, e, true)
}

func search(query, reference events, skipSelf bool) (Neighbours, error) {
	found := Neighbours{Index: make([]int, query.count), Distance: make([]float64, query.count)}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	const chunk = 32
	for start := 0; start < query.count; start += chunk {
		group.Go(func() error {
			for i := start; i < min(start+chunk, query.count); i++ {
				skip := -1
				if skipSelf {
					skip = i
				}
				index, distance := nearest(query.row(i), reference, skip)
				if math.IsInf(distance, 1) {
					return fmt.Errorf("metric: the squared distances of event %d overflow float64: scale the data down", i)
				}
				found.Index[i], found.Distance[i] = index, distance
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return Neighbours{}, err
	}
	return found, nil
}

func nearest(query []float64, reference events, skip int) (index int, distance float64) {
	best, index := math.Inf(1), -1
	for j := range reference.count {
		if j == skip {
			continue
		}
		row := reference.row(j)
		sum := 0.0
		for k, v := range query {
			d := v - row[k]
			sum += d * d
			// A partial sum only grows, so a row that is far can be left early.
			if k&15 == 15 && sum >= best {
				break
			}
		}
		if sum < best {
			best, index = sum, j
		}
	}
	return index, math.Sqrt(best)
}

package metric

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/nami-flow/go-nami/nami/coupling"
)

// mostCosts bounds the table of distances of exact transport: 1 GiB of float64.
const mostCosts = 1 << 27

// Wasserstein is the exact Wasserstein distance of two samples, of order 1 (the earth mover's) or 2:
// the root of the least mean cost |x−y|^order of all plans that move one sample into the other, with
// Euclidean distances of the flattened events (Villani 2009, Optimal Transport, definition 6.1).
// x and y are float32 or float64 [n]+event and [m]+event with n and m at least 1. Weights, which must
// not be negative, weigh the events. It is 0 for equal samples; of samples of one distribution it
// falls only as n^(-1/d) in d dimensions, so that its null distribution ([Tests.Wasserstein]) counts.
//
// On a line events are sorted. Otherwise it takes 8·n·m bytes and, for as many events of both without
// weights, an assignment ([coupling.Assign]), 0.1 s for 1,000 events, some seconds for 5,000; for
// others shortest augmenting paths through the table of distances, about (n+m)·n·m operations: a second
// for 500 events. More than 2²⁷ distances are an error, as are other orders; else errors are as for
// [Nearest].
func Wasserstein(x, y *tensors.Tensor, order int, settings ...Option) (float64, error) {
	a, b, err := readTransported("Wasserstein", x, y, order, settings)
	if err != nil {
		return 0, err
	}
	v, err := wasserstein(a, b, order)
	if err != nil {
		return 0, fmt.Errorf("metric.Wasserstein: %w", err)
	}
	return result("Wasserstein", v)
}

// Wasserstein tests by [Wasserstein], by one exact distance for each permutation.
func (t Tests) Wasserstein(ctx context.Context, x, y *tensors.Tensor, order int, settings ...Option) (Test, error) {
	a, b, err := readTransported("Tests.Wasserstein", x, y, order, settings)
	if err != nil {
		return Test{}, err
	}
	test, err := t.wasserstein(ctx, a, b, order)
	if err != nil {
		return Test{}, fmt.Errorf("metric.Tests.Wasserstein: %w", err)
	}
	return test, nil
}

func (t Tests) wasserstein(ctx context.Context, a, b events, order int) (Test, error) {
	value, err := wasserstein(a, b, order)
	if err == nil {
		value, err = finiteResult(value)
	}
	if err != nil {
		return Test{}, err
	}
	test := Test{Name: fmt.Sprintf("Wasserstein distance of order %d", order), Value: value, Means: apart}
	return t.by(ctx, test, joined(a, b), a.count, func(x, y events) (float64, error) {
		return wasserstein(x.normalised(), y.normalised(), order)
	})
}

func readTransported(name string, x, y *tensors.Tensor, order int, settings []Option) (a, b events, err error) {
	if a, b, err = readPair(name, x, y, settings); err != nil {
		return a, b, err
	}
	switch err = cmp.Or(a.notNegative("x"), b.notNegative("y")); {
	case err != nil:
	case order != 1 && order != 2:
		err = fmt.Errorf("order %d: give 1, for distances, or 2, for squared ones", order)
	case a.size > 1 && a.count > mostCosts/b.count:
		err = fmt.Errorf("exact transport of %d events to %d needs %d distances, and %d are the limit: give a part of the events, or use SlicedWasserstein", a.count, b.count, a.count*b.count, mostCosts)
	}
	if err != nil {
		err = fmt.Errorf("metric.%s: %w", name, err)
	}
	return a, b, err
}

func wasserstein(a, b events, order int) (float64, error) {
	cost := func(d float64) float64 { return math.Abs(d) }
	root := func(mean float64) float64 { return mean }
	if order == 2 {
		cost, root = func(d float64) float64 { return d * d }, math.Sqrt
	}
	if a.size == 1 {
		origin := []float64{a.flat[0]}
		return root(transported(a.projected([]float64{1}, origin), b.projected([]float64{1}, origin), cost)), nil
	}
	costs := make([]float64, a.count*b.count)
	columns := b.columns()
	each(a.count, func(i int) {
		row := costs[i*b.count : (i+1)*b.count]
		squaredDistances(a.row(i), columns, 0, row)
		if order == 1 {
			for j, s := range row {
				row[j] = math.Sqrt(s)
			}
		}
	})
	if slices.ContainsFunc(costs, func(c float64) bool { return c-c != 0 }) {
		return math.Inf(1), nil // which is reported as an overflow
	}
	if a.weights != nil || b.weights != nil || a.count != b.count {
		return root(transport(costs, a, b)), nil
	}
	partners, err := coupling.Assign(costs, a.count)
	if err != nil {
		return 0, err
	}
	mean := 0.0
	for i, j := range partners {
		mean += costs[i*b.count+j] / float64(a.count)
	}
	return root(mean), nil
}

// transport is the least mean cost of moving the weights of a to those of b: successive shortest
// paths with prices (Ahuja, Magnanti & Orlin 1993, Network Flows, section 9.7). A row sends what it
// has along the shortest path, at reduced costs, to a column that lacks some; on the way a column may
// give back what another row sent, for nothing, as long as there is some.
func transport(costs []float64, a, b events) float64 {
	n, m := a.count, b.count
	t := &transportation{
		costs: costs, m: m, lacks: make([]float64, m), flow: make([][]shipment, m),
		rowPrice: make([]float64, n), columnPrice: make([]float64, m),
		rowLength: make([]float64, n), columnLength: make([]float64, m),
		rowFrom: make([]int, n), columnFrom: make([]int, m), open: make([]int, m),
	}
	for j := range m {
		t.lacks[j], t.columnPrice[j] = b.weight(j), math.Inf(1)
		for i := range n {
			t.columnPrice[j] = min(t.columnPrice[j], costs[i*m+j])
		}
	}
	for i := range n {
		for has := a.weight(i); has > rest; {
			sent := t.send(i, has)
			if sent == 0 { // only rounding is left
				break
			}
			has -= sent
		}
	}
	mean := 0.0
	for j, from := range t.flow {
		for _, s := range from {
			mean += s.weight * costs[s.row*m+j]
		}
	}
	return mean
}

// rest is what counts as nothing, of weights that add up to 1.
const rest = 1e-14

// shipment is what a column gets from a row.
type shipment struct {
	row    int
	weight float64
}

type transportation struct {
	costs                   []float64
	m                       int
	lacks                   []float64    // what each column still has to get
	flow                    [][]shipment // what each column gets
	rowPrice, columnPrice   []float64
	rowLength, columnLength []float64 // of the shortest path
	rowFrom, columnFrom     []int     // the column, and the row, before it on the path
	open                    []int     // columns whose shortest path isn't known yet
}

// send moves up to has from a row along the shortest path to a column that lacks some, and returns
// how much.
func (t *transportation) send(start int, has float64) float64 {
	for j := range t.open {
		t.open[j], t.columnLength[j] = j, math.Inf(1)
	}
	for i := range t.rowLength {
		t.rowLength[i] = math.Inf(1)
	}
	t.rowLength[start], t.rowFrom[start] = 0, -1
	open, reached, end, length := t.open, []int{start}, -1, 0.0
	for fresh := []int{start}; end < 0; {
		for _, i := range fresh {
			base := t.rowLength[i] - t.rowPrice[i]
			for _, j := range open {
				if l := base + t.costs[i*t.m+j] - t.columnPrice[j]; l < t.columnLength[j] {
					t.columnLength[j], t.columnFrom[j] = l, i
				}
			}
		}
		if len(open) == 0 {
			return 0
		}
		at := 0
		for k, j := range open {
			if t.columnLength[j] < t.columnLength[open[at]] {
				at = k
			}
		}
		j, last := open[at], len(open)-1
		open[at], open[last] = open[last], j // what is reached gathers behind the open
		open = open[:last]
		length = max(length, t.columnLength[j])
		if t.lacks[j] > rest {
			end = j
			break
		}
		fresh = fresh[:0]
		for _, s := range t.flow[j] {
			if math.IsInf(t.rowLength[s.row], 1) {
				t.rowLength[s.row], t.rowFrom[s.row] = length, j
				fresh = append(fresh, s.row)
			}
		}
		reached = append(reached, fresh...)
	}
	for _, i := range reached {
		t.rowPrice[i] += length - t.rowLength[i]
	}
	for _, j := range t.open[len(open):] {
		t.columnPrice[j] -= length - min(length, t.columnLength[j])
	}
	sent := min(has, t.lacks[end])
	for j := end; ; {
		i := t.columnFrom[j]
		if j = t.rowFrom[i]; j < 0 {
			break
		}
		sent = min(sent, t.flow[j][t.from(i, j)].weight)
	}
	t.lacks[end] -= sent
	for j := end; ; {
		i := t.columnFrom[j]
		if at := t.from(i, j); at >= 0 {
			t.flow[j][at].weight += sent
		} else {
			t.flow[j] = append(t.flow[j], shipment{i, sent})
		}
		if j = t.rowFrom[i]; j < 0 {
			return sent
		}
		at := t.from(i, j)
		if t.flow[j][at].weight -= sent; t.flow[j][at].weight <= 0 {
			t.flow[j] = slices.Delete(t.flow[j], at, at+1)
		}
	}
}

// from is the place of a row among those that a column gets something from, or -1.
func (t *transportation) from(row, column int) int {
	return slices.IndexFunc(t.flow[column], func(s shipment) bool { return s.row == row })
}

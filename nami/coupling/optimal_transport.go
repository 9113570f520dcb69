package coupling

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"
)

// OptimalTransport pairs rows so that the sum of their squared distances is the least of all
// permutations (Pooladian et al. 2023, arXiv:2304.14772; Tong et al. 2023,
// arXiv:2302.00482). It is exact, and each row occurs once: nothing is drawn from a plan
// with replacement, so no point of the data is lost.
//
// Where events have contexts, training refuses it unless Context says what they cost: it would
// pair noise and data across contexts, so that within a context the noise is no longer that of
// the base, from which samples start.
//
// It takes time in proportion to n³ at worst, about 10 ms for 256 rows of the plane and half
// a second for 1024, and 8n² bytes.
type OptimalTransport struct {
	// Context is the weight of the squared distance between contexts beside that between
	// events, where row i of the source is given the context of row i of the target (Cheng &
	// Schwing 2025, arXiv:2503.10636). +Inf pairs rows of equal contexts alone, as is right for
	// classes: within each the noise is the base's. With a finite weight, for contexts that are
	// all different, it is so as far as contexts that are paired are alike: give a large one, in
	// the units of the contexts, such that the pairs' events are still closer than those of
	// independent rows. 0 is for events without contexts.
	Context float64
}

// Validate reports a weight that is out of range.
func (o OptimalTransport) Validate() error {
	if !(o.Context >= 0) {
		return fmt.Errorf("coupling.OptimalTransport: Context is %v: it must be positive, +Inf to pair within equal contexts alone, or 0 where there are none", o.Context)
	}
	return nil
}

// PairsWithinContexts implements [Conditional]: if Context is given.
func (o OptimalTransport) PairsWithinContexts() bool { return o.Context > 0 }

// Pair implements [Coupling]. It draws nothing: each row of the source occurs once.
func (o OptimalTransport) Pair(_ *rand.Rand, source, target, context *tensors.Tensor) ([]int, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	costs, n, err := squaredDistances("OptimalTransport", source, target)
	if err != nil {
		return nil, err
	}
	if o.Context == 0 || context == nil {
		return assign(costs, n), nil
	}
	if err := Validate(source, target, context); err != nil {
		return nil, err
	}
	between, _, err := squaredDistances("OptimalTransport", context, context)
	if err != nil {
		return nil, err
	}
	if math.IsInf(o.Context, 1) {
		return within(costs, between, n), nil
	}
	for i, d := range between {
		if costs[i] += o.Context * d; math.IsInf(costs[i], 1) {
			return nil, fmt.Errorf("coupling.OptimalTransport: Context is %v, and with a squared distance of %v between contexts the cost overflows: standardise the contexts", o.Context, d)
		}
	}
	return assign(costs, n), nil
}

// within pairs rows among which there is no distance, with the least costs.
func within(costs, between []float64, n int) []int {
	rows := make([]int, n)
	done := make([]bool, n)
	for first := range n {
		if done[first] {
			continue
		}
		var group []int
		for i := first; i < n; i++ {
			if between[first*n+i] == 0 {
				group, done[i] = append(group, i), true
			}
		}
		inside := make([]float64, 0, len(group)*len(group))
		for _, i := range group {
			for _, j := range group {
				inside = append(inside, costs[i*n+j])
			}
		}
		for i, j := range assign(inside, len(group)) {
			rows[group[i]] = group[j]
		}
	}
	return rows
}

// String names the coupling, with its weight if it has one.
func (o OptimalTransport) String() string {
	if o.Context == 0 {
		return "OptimalTransport"
	}
	return fmt.Sprintf("OptimalTransport{context %g}", o.Context)
}

// assign returns for each row of an n×n matrix of costs a column of its own, so that the
// sum of the costs is least: the shortest augmenting paths of Jonker & Volgenant 1987
// (doi:10.1007/BF02278710), with a simpler start.
func assign(costs []float64, n int) []int {
	a := newAssignment(costs, n)
	for row, column := range a.column {
		if column == none {
			a.augment(row)
		}
	}
	return a.column
}

// none stands for a row or a column that has no partner yet.
const none = -1

// assignment pairs some rows and columns. Each has a price, such that the reduced cost of
// a pair, its cost less both prices, is never negative, and zero for those paired: then
// no other assignment of these rows costs less.
type assignment struct {
	n                     int
	costs                 []float64
	column, row           []int // the partner of each row, and of each column
	rowPrice, columnPrice []float64

	length []float64 // scratch of augment: of the shortest path to each column
	from   []int     // the row that it comes from
	open   []int     // columns whose shortest path isn't known yet
}

// newAssignment takes the least costs as prices, of columns first and of what then remains
// of rows, and pairs what it gets for nothing.
func newAssignment(costs []float64, n int) *assignment {
	ints, prices := make([]int, 4*n), make([]float64, 3*n)
	a := &assignment{
		n: n, costs: costs, column: ints[:n], row: ints[n : 2*n], from: ints[2*n : 3*n], open: ints[3*n:],
		rowPrice: prices[:n], columnPrice: prices[n : 2*n], length: prices[2*n:],
	}
	copy(a.columnPrice, costs[:n])
	for i := range n {
		a.column[i], a.row[i] = none, none
		for j, c := range costs[i*n : (i+1)*n] {
			a.columnPrice[j] = min(a.columnPrice[j], c)
		}
	}
	for i := range n {
		least := math.Inf(1)
		best := none
		for j, c := range costs[i*n : (i+1)*n] {
			if c -= a.columnPrice[j]; c < least {
				least, best = c, j
			}
		}
		a.rowPrice[i] = least
		if a.row[best] == none {
			a.column[i], a.row[best] = best, i
		}
	}
	return a
}

// augment finds a partner for a row that has none, by Dijkstra's algorithm: from a row to
// any column at the reduced cost, from a column to its own row for nothing, until a column
// without one is reached. Along the shortest path all change partners.
func (a *assignment) augment(start int) {
	for j := range a.n {
		a.length[j], a.open[j] = math.Inf(1), j
	}
	open, row, sofar, end := a.open, start, 0.0, none
	for end == none {
		costs, base := a.costs[row*a.n:(row+1)*a.n], sofar-a.rowPrice[row]
		nearest, at := math.Inf(1), 0
		for k, j := range open {
			length := a.length[j]
			if l := base + costs[j] - a.columnPrice[j]; l < length {
				length = l
				a.length[j], a.from[j] = l, row
			}
			if length < nearest {
				nearest, at = length, k
			}
		}
		sofar = nearest
		last := len(open) - 1
		column := open[at]
		open[at], open[last] = open[last], column // what is reached gathers behind the open
		open = open[:last]
		if row = a.row[column]; row == none {
			end = column
		}
	}
	a.rowPrice[start] += sofar
	for _, j := range a.open[len(open)+1:] { // all that was reached, but the end
		a.rowPrice[a.row[j]] += sofar - a.length[j]
		a.columnPrice[j] -= sofar - a.length[j]
	}
	for row = none; row != start; {
		row = a.from[end]
		a.row[end] = row
		a.column[row], end = end, a.column[row]
	}
}

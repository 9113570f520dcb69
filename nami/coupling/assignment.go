package coupling

import (
	"fmt"
	"math"
)

// Assign returns for each row of an n×n matrix of costs, in row-major order, a column of its own, so
// that the sum of the costs is least of all permutations. It is what [OptimalTransport] pairs rows
// by, and takes its time. A matrix of another size and costs that aren't finite are errors.
func Assign(costs []float64, n int) (columns []int, err error) {
	if n < 0 || len(costs) != n*n {
		return nil, fmt.Errorf("coupling.Assign: there are %d costs for %d rows: give a square matrix, %d", len(costs), n, n*n)
	}
	for i, c := range costs {
		if c-c != 0 {
			return nil, fmt.Errorf("coupling.Assign: cost %d of row %d is %g: give finite costs", i%n, i/n, c)
		}
	}
	return assign(costs, n), nil
}

// assign returns for each row of an n×n matrix of costs a column of its own, so that the
// sum of the costs is least. An auction whose bids become finer and finer finds prices that are
// nearly right (Bertsekas 1988, doi:10.1007/BF02186476), from which a few short paths lead to an
// exact solution (Jonker & Volgenant 1987, doi:10.1007/BF02278710): from the least costs as
// prices, the paths for 1,024 points of the plane take eight times as long.
func assign(costs []float64, n int) []int {
	a := newAssignment(costs, n)
	mean := 0.0
	for _, c := range costs {
		mean += c / float64(len(costs))
	}
	for coarse := mean / 5; coarse > mean/5000; coarse /= 5 {
		a.auction(coarse)
	}
	for _, row := range a.settle() {
		a.augment(row)
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

// newAssignment has the least costs as prices of columns, and no pairs.
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
	return a
}

// auction pairs all rows and columns, so that no row would be better off by more than step with
// another column at the present prices: each row in turn takes its cheapest column from whoever
// has it, and the price falls until it would as soon have its second choice, and by step more.
// It gives up after some hundred bids for each row, as it may take many where costs are of very
// different size.
func (a *assignment) auction(step float64) {
	free := make([]int, a.n)
	for i := range a.n {
		a.column[i], a.row[i], free[i] = none, none, i
	}
	for turns := 100 * a.n; len(free) > 0 && turns > 0; turns-- {
		row := free[len(free)-1]
		free = free[:len(free)-1]
		best, least, second := 0, math.Inf(1), math.Inf(1)
		for j, c := range a.costs[row*a.n : (row+1)*a.n] {
			if c -= a.columnPrice[j]; c < least {
				best, least, second = j, c, least
			} else if c < second {
				second = c
			}
		}
		if a.n > 1 {
			a.columnPrice[best] -= second - least + step
		}
		if before := a.row[best]; before != none {
			a.column[before] = none
			free = append(free, before)
		}
		a.row[best], a.column[row] = row, best
	}
}

// settle makes prices of rows of those of columns, undoes pairs that aren't exactly the cheapest
// for the row, and returns the rows without a partner.
func (a *assignment) settle() (free []int) {
	for i := range a.n {
		costs := a.costs[i*a.n : (i+1)*a.n]
		least := math.Inf(1)
		for j, c := range costs {
			least = min(least, c-a.columnPrice[j])
		}
		a.rowPrice[i] = least
		j := a.column[i]
		if j != none && costs[j]-a.columnPrice[j] == least {
			continue
		}
		if free = append(free, i); j != none {
			a.column[i], a.row[j] = none, none
		}
	}
	return free
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

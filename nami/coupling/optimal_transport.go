package coupling

import (
	"math"

	"github.com/gomlx/gomlx/core/tensors"
)

// OptimalTransport pairs rows so that the sum of their squared distances is the least of all
// permutations (Pooladian et al. 2023, arXiv:2304.14772; Tong et al. 2023,
// arXiv:2302.00482). It is exact, and each row occurs once: nothing is drawn from a plan
// with replacement, so no point of the data is lost.
//
// It is not for models with a context: it would pair noise and data across contexts, so
// that for each context the noise is no longer that of the base, from which samples start
// (Cheng & Schwing 2025, arXiv:2503.10636). Pair within one context, or use [Independent].
//
// It takes time in proportion to n³, about 5 ms for 256 rows and 0.2 s for 1024, and 8n²
// bytes.
type OptimalTransport struct{}

// Pair implements [Coupling].
func (OptimalTransport) Pair(source, target *tensors.Tensor) ([]int, error) {
	sources, targets, err := read(source, target)
	if err != nil {
		return nil, err
	}
	n := source.Shape().Dimensions[0]
	d := len(sources) / n
	costs := make([]float64, 0, n*n)
	for i := range n {
		x := targets[i*d : (i+1)*d]
		for j := range n {
			sum := 0.0
			for k, y := range sources[j*d : (j+1)*d] {
				sum += (x[k] - y) * (x[k] - y)
			}
			costs = append(costs, sum)
		}
	}
	return assign(costs, n), nil
}

// String names the coupling.
func (OptimalTransport) String() string { return "OptimalTransport" }

// assign returns for each row of an n×n matrix of costs a column of its own, so that the
// sum of the costs is least. It takes in one row after the other along the shortest
// augmenting path, with a dual price for each row and column that keeps reduced costs from
// being negative (Jonker & Volgenant 1987, doi:10.1007/BF02278710; without their
// initialisation by column reduction).
func assign(costs []float64, n int) (columns []int) {
	columns = make([]int, n)
	rows := make([]int, n) // of each column
	for i := range n {
		columns[i], rows[i] = -1, -1
	}
	rowPrice, columnPrice := make([]float64, n), make([]float64, n)
	length := make([]float64, n) // of the shortest path to each column
	from := make([]int, n)       // the row from which it gets there
	var reached []int            // columns whose length is final, in the order of it
	open := make([]int, n)       // the others
	for start := range n {
		reached = reached[:0]
		open = open[:n]
		for j := range n {
			length[j], open[j] = math.Inf(1), j
		}
		// Dijkstra's algorithm, from row to column by any cost, from a column to its row
		// for nothing, until there is a column without one.
		sofar, row, free := 0.0, start, -1
		for free < 0 {
			nearest, k := math.Inf(1), 0
			for at, j := range open {
				if l := sofar + costs[row*n+j] - rowPrice[row] - columnPrice[j]; l < length[j] {
					length[j], from[j] = l, row
				}
				if length[j] < nearest || length[j] == nearest && rows[j] < 0 {
					nearest, k = length[j], at
				}
			}
			column := open[k]
			open[k] = open[len(open)-1]
			open = open[:len(open)-1]
			sofar = nearest
			if row = rows[column]; row < 0 {
				free = column
			} else {
				reached = append(reached, column)
			}
		}
		rowPrice[start] += sofar
		for _, j := range reached {
			rowPrice[rows[j]] += sofar - length[j]
			columnPrice[j] -= sofar - length[j]
		}
		for row = -1; row != start; {
			row = from[free]
			rows[free] = row
			columns[row], free = free, columns[row]
		}
	}
	return columns
}

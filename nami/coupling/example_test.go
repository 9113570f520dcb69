package coupling_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/nami-flow/go-nami/nami/coupling"

	"github.com/gomlx/gomlx/core/tensors"
)

// byFirst pairs rows by the order of their first value: cheaper than an optimal transport,
// and the same on a line.
type byFirst struct{}

func (byFirst) Pair(_ *rand.Rand, source, target, context *tensors.Tensor) ([]int, error) {
	if err := coupling.Validate(source, target, context); err != nil {
		return nil, err
	}
	from, to := sorted(source), sorted(target)
	pair := make([]int, len(to))
	for k := range to {
		pair[to[k]] = from[k]
	}
	return pair, nil
}

// sorted are x's rows in the order of their first value.
func sorted(x *tensors.Tensor) (rows []int) {
	n := x.Shape().Dim(0)
	first := make([]float64, n)
	x.MustConstFlatData(func(flat any) {
		for row := range n {
			rows = append(rows, row)
			switch flat := flat.(type) {
			case []float32:
				first[row] = float64(flat[row*len(flat)/n])
			case []float64:
				first[row] = flat[row*len(flat)/n]
			}
		}
	})
	slices.SortFunc(rows, func(a, b int) int { return cmp.Compare(first[a], first[b]) })
	return rows
}

func Example() {
	if err := coupling.Check(byFirst{}); err != nil {
		panic(err) // as a test of your own coupling would fail
	}
	noise := tensors.FromValue([][]float32{{0.3}, {-1}, {1.2}})
	data := tensors.FromValue([][]float32{{7}, {6}, {5}})
	for _, c := range []coupling.Coupling{coupling.Independent{}, coupling.OptimalTransport{}, byFirst{}} {
		pair, err := c.Pair(rand.New(rand.NewPCG(1, 0)), noise, data, nil)
		if err != nil {
			panic(err)
		}
		fmt.Println(pair)
	}
	// Output:
	// [0 1 2]
	// [2 0 1]
	// [2 0 1]
}

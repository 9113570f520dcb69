package coupling

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/tensors"
)

// squaredDistances are those of each row of target (data) to each row of source (noise), row by
// row, for the coupling with that name.
func squaredDistances(name string, source, target *tensors.Tensor) (costs []float64, n int, err error) {
	sources, targets, err := read(source, target)
	if err != nil {
		return nil, 0, err
	}
	n = source.Shape().Dimensions[0]
	d := len(sources) / n
	costs = make([]float64, 0, n*n)
	for i := range n {
		x := targets[i*d : (i+1)*d]
		for j := range n {
			sum := 0.0
			for k, y := range sources[j*d : (j+1)*d] {
				sum += (x[k] - y) * (x[k] - y)
			}
			if math.IsInf(sum, 1) {
				return nil, 0, fmt.Errorf("coupling.%s: the squared distance of target (data) row %d and source (noise) row %d overflows: standardise the data", name, i, j)
			}
			costs = append(costs, sum)
		}
	}
	return costs, n, nil
}

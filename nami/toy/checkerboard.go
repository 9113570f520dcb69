package toy

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"
)

// Checkerboard is uniform on every second square of a board over [-Bound, Bound]², those
// whose row and column, counted from the lower left corner, have an even sum. A board of one
// cell is the uniform distribution.
type Checkerboard struct {
	// Cells is the number of cells on each side; 4 if 0.
	Cells int

	// Bound is half the side of the board; 2 if 0.
	Bound float64
}

var _ Density = Checkerboard{}

func (b Checkerboard) settle() (cells int, bound float64, err error) {
	cells, bound = orDefault(b.Cells, 4), orDefault(b.Bound, 2)
	if cells < 0 {
		return 0, 0, fmt.Errorf("toy.Checkerboard: Cells is %d: give the number of cells on each side, 1 or more, or 0 for the default", b.Cells)
	}
	return cells, bound, positive("Checkerboard", "Bound", bound)
}

// Sample returns n points as float32 [n, 2]. It is an error if n or a parameter is out of
// range.
func (b Checkerboard) Sample(seed int64, n int) (*tensors.Tensor, error) {
	cells, bound, err := b.settle()
	if err != nil {
		return nil, err
	}
	points, _, err := draw("Checkerboard", seed, checkerboardStream, n, 2, func(rng *rand.Rand, _ int, x []float64) int {
		// Cells 0, 2, 4, … of the board read row by row; a row of an even board begins one
		// cell later than the one below it.
		k := 2 * rng.IntN((cells*cells+1)/2)
		row, column := k/cells, k%cells
		if cells%2 == 0 {
			column += row % 2
		}
		side := 2 * bound / float64(cells)
		for i, cell := range []int{column, row} {
			x[i] = float64((float64(cell)+rng.Float64())*side) - bound
		}
		return 0
	})
	return points, err
}

// LogProb implements [Density]: minus the logarithm of the area of the squares, -∞ off them.
func (b Checkerboard) LogProb(points *tensors.Tensor) (*tensors.Tensor, error) {
	cells, bound, err := b.settle()
	if err != nil {
		return nil, err
	}
	side := 2 * bound / float64(cells)
	on := float64((cells*cells + 1) / 2)
	return logProb("Checkerboard", points, 2, func(x []float64) float64 {
		sum := 0
		for _, v := range x {
			if math.Abs(v) > bound {
				return math.Inf(-1)
			}
			sum += min(int((v+bound)/side), cells-1) // the upper edge belongs to the last cell
		}
		if sum%2 != 0 {
			return math.Inf(-1)
		}
		return -math.Log(on * side * side)
	})
}

const checkerboardStream = 0x636865636b6572 // "checker"

package transform

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// margin is how close to the edges of an interval a value may come, in units of its width.
const margin = 1e-6

// between says how far x is above low and below high, in units of the interval and at least the
// margin, and where it is outside.
func between(x *Node, low, high float64) (above, below, outside *Node) {
	width, least := ConstAs(x, high-low), ConstAs(x, margin)
	above = Div(Sub(x, ConstAs(x, low)), width)
	below = Div(Sub(ConstAs(x, high), x), width) // exact close to high, unlike 1-above
	outside = LogicalOr(LessThan(above, ConstAs(x, 0)), LessThan(below, ConstAs(x, 0)))
	return Max(above, least), Max(below, least), outside
}

// orUnit is the interval from 0 to 1 if none is given.
func orUnit(low, high float64) (float64, float64) {
	if low == 0 && high == 0 {
		return 0, 1
	}
	return low, high
}

func checkBetween(name string, low, high float64) error {
	if !(low < high) || math.IsInf(high-low, 0) {
		return fmt.Errorf("%s: Low is %v and High %v: Low must be below High, and both finite", name, low, high)
	}
	return nil
}

func admitBetween(name string, low, high, x float64) error {
	if !(x >= low && x <= high) {
		return fmt.Errorf("%s expects values from %g to %g", name, low, high)
	}
	return nil
}

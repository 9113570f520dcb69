package path

import (
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
	"gonum.org/v1/gonum/interp"
)

// Curve is a path through several points at given times: straight from each to the next, or smooth.
// With two points at 0 and 1 it is [Linear]. loss.Trajectory learns the velocity along it.
type Curve struct {
	// Times are those of the points: two at least, rising, from 0 to 1 or within.
	Times []float64

	// Smooth takes the natural cubic spline through the points, whose velocity and acceleration are
	// continuous, instead of straight lines (Rohbeck et al. 2025, multi-marginal flow matching).
	Smooth bool
}

// Validate reports times through which no curve can go.
func (c Curve) Validate() error {
	if len(c.Times) < 2 {
		return fmt.Errorf("path.Curve: Times are %v: a curve goes through two points at least", c.Times)
	}
	for i, t := range c.Times {
		if !(t >= 0 && t <= 1) {
			return fmt.Errorf("path.Curve: Times[%d] is %v: a model's times are from 0 to 1", i, t)
		}
		if i > 0 && t <= c.Times[i-1] {
			return fmt.Errorf("path.Curve: Times[%d] is %v and Times[%d] is %v: times must rise", i-1, c.Times[i-1], i, t)
		}
	}
	return nil
}

// Point returns x_t. points are lead+[number of times]+event, t is of the lead's shape; the result
// is lead+event. It panics on misuse.
func (c Curve) Point(points, t *Node) *Node { return c.combine(points, t, 0) }

// Velocity returns dx_t/dt at the same arguments. Where straight lines meet it is that of the later
// one.
func (c Curve) Velocity(points, t *Node) *Node { return c.combine(points, t, 1) }

// combine is the sum of the points, each with its weight at time t, or with its derivative.
func (c Curve) combine(points, t *Node, derivative int) *Node {
	if err := c.Validate(); err != nil {
		panic(err)
	}
	axis := t.Rank()
	if points.Rank() <= axis || points.Shape().Dimensions[axis] != len(c.Times) {
		exceptions.Panicf("path.Curve: the points are %s and t %s: expected lead+[%d]+event, a point for each of the times %v, and t of the lead's shape",
			points.Shape(), t.Shape(), len(c.Times), c.Times)
	}
	weights := c.weights(t, derivative)
	return ReduceSum(Mul(shape.Lift(weights, points), points), axis)
}

// weights are those of the points at time t, of the shape lead+[number of times], or their
// derivatives.
func (c Curve) weights(t *Node, derivative int) *Node {
	flat := Reshape(t, -1, 1)
	var sum *Node
	for i, coefficients := range c.cubics() {
		u := AddScalar(flat, -c.Times[i])
		powers := []*Node{OnesLike(u), u, Square(u), Mul(u, Square(u))}
		if derivative == 1 {
			powers = []*Node{ZerosLike(u), OnesLike(u), MulScalar(u, 2), MulScalar(Square(u), 3)}
		}
		var value *Node
		for k, power := range powers {
			term := Mul(power, ConstAs(t, [][]float64{coefficients[k]}))
			if value == nil {
				value = term
			} else {
				value = Add(value, term)
			}
		}
		if i == 0 {
			sum = value
			continue
		}
		later := GreaterOrEqual(u, ZerosLike(u))
		sum = Where(BroadcastToDims(later, sum.Shape().Dimensions...), value, sum)
	}
	return Reshape(sum, append(slices.Clone(t.Shape().Dimensions), len(c.Times))...)
}

// cubics are the weights of the points in each interval, as the coefficients of powers of the time
// since it began: [interval][power][point].
func (c Curve) cubics() (coefficients [][4][]float64) {
	n := len(c.Times)
	coefficients = make([][4][]float64, n-1)
	for point := range n {
		values := make([]float64, n)
		values[point] = 1
		for i, slopes := range c.slopes(values) {
			h := c.Times[i+1] - c.Times[i]
			rise := (values[i+1] - values[i]) / h
			for power, v := range []float64{
				values[i], slopes[0], (3*rise - 2*slopes[0] - slopes[1]) / h, (slopes[0] + slopes[1] - 2*rise) / (h * h),
			} {
				coefficients[i][power] = append(coefficients[i][power], v)
			}
		}
	}
	return coefficients
}

// slopes are those of the curve through values at both ends of each interval.
func (c Curve) slopes(values []float64) (slopes [][2]float64) {
	var spline interp.NaturalCubic
	smooth := c.Smooth && len(values) > 2 // through two points it is straight
	if smooth {
		if err := spline.Fit(c.Times, values); err != nil {
			panic(fmt.Errorf("path.Curve: no spline goes through the times %v: %w", c.Times, err))
		}
	}
	for i := range len(values) - 1 {
		rise := (values[i+1] - values[i]) / (c.Times[i+1] - c.Times[i])
		ends := [2]float64{rise, rise}
		if smooth {
			ends = [2]float64{spline.PredictDerivative(c.Times[i]), spline.PredictDerivative(c.Times[i+1])}
		}
		slopes = append(slopes, ends)
	}
	return slopes
}

// String describes the curve on one line.
func (c Curve) String() string {
	if c.Smooth {
		return fmt.Sprintf("Curve{%v, smooth}", c.Times)
	}
	return fmt.Sprintf("Curve{%v}", c.Times)
}

package path

import (
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/conformance"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// Check reports where p breaks a rule of [Path], for a test of your own type: the point is
// at the data at t=0, or close to it, and moves with the noise at t=1; the velocity is its
// derivative, compared with a central difference in float64 to 1e-4; both have the
// target's shape and dtype, and t stands on the lead axes.
func Check(backend compute.Backend, p Path) error {
	if p == nil {
		return fmt.Errorf("path.Check: the path is nil")
	}
	err := gomlx.Try(func() error {
		conformance.Shapes(backend, func(x, t *Node) {
			conformance.Like("Point(target, source, t)", p.Point(x, x, t), "the target", x)
			conformance.Like("Velocity(target, source, t)", p.Velocity(x, x, t), "the target", x)
		})
		return checkNumbers(backend, p)
	})
	if err != nil {
		return fmt.Errorf("path.Check: %T: %w", p, err)
	}
	return nil
}

func checkNumbers(backend compute.Backend, p Path) error {
	times, targets, sources := conformance.Times, conformance.Events(0), conformance.Events(0.7)
	n := len(times)
	values, err := conformance.Eval(backend, func(in []*Node) []*Node {
		target, source, t := in[0], in[1], in[2]
		point := func(t *Node) *Node { return p.Point(target, source, t) }
		row := func(x *Node, i int) *Node { return Squeeze(Slice(x, AxisElem(i)), 0) }
		var alone []*Node // each event with its own scalar time
		for i := range n {
			alone = append(alone, p.Point(row(target, i), row(source, i), row(t, i)))
		}
		zero, one := ConstAs(target, 0), ConstAs(target, 1)
		return []*Node{
			p.Velocity(target, source, t), conformance.Slope(point, t), point(t), Stack(alone, 0),
			point(zero), point(one), p.Point(AddScalar(target, 1), source, one), p.Point(target, AddScalar(source, 1), one),
			p.Velocity(target, source, zero), p.Velocity(target, source, one),
		}
	}, targets, sources, times)
	if err != nil {
		return err
	}
	velocity, slope, point, alone := values[0], values[1], values[2], values[3]
	start, end, byTarget, bySource := values[4], values[5], values[6], values[7]
	target, source := slices.Concat(targets...), slices.Concat(sources...)
	for k := range point {
		i, j := k/n, k%n
		if !conformance.Near(point[k], alone[k]) {
			return fmt.Errorf("Point of event %d, value %d is %.6g among others, each with its own time, and %.6g alone: t belongs to the lead axes",
				i, j, point[k], alone[k])
		}
		if !conformance.Near(velocity[k], slope[k]) {
			return fmt.Errorf("Velocity of event %d, value %d is %.6g at t=%v, where Point moves by %.6g: it must be the derivative of Point",
				i, j, velocity[k], times[i], slope[k])
		}
		if !conformance.Finite(values[8][k]) || !conformance.Finite(values[9][k]) {
			return fmt.Errorf("Velocity of event %d, value %d is %v at t=0 and %v at t=1: it must be finite", i, j, values[8][k], values[9][k])
		}
		if !(math.Abs(start[k]-target[k]) <= 0.1*(1+math.Abs(target[k]))) {
			return fmt.Errorf("Point at t=0 is %.4g for the target %.4g and the source %.4g: it must be close to the target, as time runs from data at t=0 to noise at t=1",
				start[k], target[k], source[k])
		}
		if t, s := math.Abs(byTarget[k]-end[k]), math.Abs(bySource[k]-end[k]); !(s > t) {
			return fmt.Errorf("Point at t=1 moves by %.4g where the target moves by 1, and by %.4g where the source does: it must follow the source, as time runs from data at t=0 to noise at t=1",
				t, s)
		}
	}
	return nil
}

package path_test

import (
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/path"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// A curve passes through its points, moves by its velocity, and is a straight line through points
// on one. Between them the lines are what interpolation gives, and the spline is that which has no
// acceleration at its ends and the same on both sides of a point.
func TestCurve(t *testing.T) {
	times := []float64{0.1, 0.25, 0.6, 0.95}
	points := []float64{1, -2, 0.5, 3}
	const h = 1e-4
	at := []float64{0.1, 0.25, 0.6, 0.95, 0.13, 0.4, 0.7, 0.9, 0.25 - 2*h, 0.25 + 2*h, 0.6 - 2*h, 0.6 + 2*h, 0.1 + h, 0.95 - h}
	n := len(at)
	flat, line := make([]float64, 0, n*8), make([]float64, 0, n*8)
	for range n {
		for k := range times {
			flat = append(flat, points[k], 10*points[k]*points[k])
			line = append(line, 3*times[k]-1, 2-5*times[k])
		}
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, c := range []path.Curve{{Times: times}, {Times: times, Smooth: true}} {
			out, err := CallOnceN(backend, func(in []*Node) []*Node {
				x, line, t := in[0], in[1], in[2]
				return []*Node{
					c.Point(x, t), c.Velocity(x, t), c.Point(x, AddScalar(t, h)), c.Point(x, AddScalar(t, -h)),
					c.Point(line, t), c.Velocity(line, t),
				}
			}, tensors.FromFlatDataAndDimensions(flat, n, 4, 2), tensors.FromFlatDataAndDimensions(line, n, 4, 2), at)
			if err != nil {
				t.Fatal(err)
			}
			var values [][]float64
			for _, x := range out {
				values = append(values, gomlxtest.Floats(t, x, nil))
			}
			point, velocity, after, before := values[0], values[1], values[2], values[3]
			acceleration := func(i, k int) float64 { return (after[2*i+k] + before[2*i+k] - 2*point[2*i+k]) / (h * h) }
			for i, s := range at {
				gomlxtest.Near(t, "a line", values[4][2*i:2*i+2], []float64{3*s - 1, 2 - 5*s}, 1e-9)
				gomlxtest.Near(t, "a line's velocity", values[5][2*i:2*i+2], []float64{3, -5}, 1e-9)
				if i < len(times) {
					gomlxtest.Near(t, "a point", point[2*i:2*i+2], []float64{points[i], 10 * points[i] * points[i]}, 1e-9)
					continue
				}
				for k := range 2 {
					slope := (after[2*i+k] - before[2*i+k]) / (2 * h)
					if math.Abs(slope-velocity[2*i+k]) > 1e-4*(1+math.Abs(slope)) {
						t.Errorf("%v: the velocity at %v is %v, and the curve moves by %v", c, s, velocity[2*i+k], slope)
					}
				}
			}
			if !c.Smooth {
				gomlxtest.Near(t, "between", point[8:10], []float64{1 - 3*0.2, 10 + 30*0.2}, 1e-9) // 0.13 is a fifth of the way
				continue
			}
			for k := range 2 {
				for _, i := range []int{8, 10} { // both sides of a point
					if math.Abs(acceleration(i, k)-acceleration(i+1, k)) > 0.01*(10+math.Abs(acceleration(i, k))) {
						t.Errorf("%v: the acceleration jumps from %v to %v", c, acceleration(i, k), acceleration(i+1, k))
					}
				}
				for _, i := range []int{12, 13} { // next to the ends
					if math.Abs(acceleration(i, k)) > 0.01*math.Abs(acceleration(8, k)) {
						t.Errorf("%v: the acceleration at the end is %v", c, acceleration(i, k))
					}
				}
			}
		}
	})
}

func TestBadCurves(t *testing.T) {
	backend := gomlxtest.Go(t)
	good := []float64{0, 0.5, 1}
	for want, c := range map[string]struct {
		times          []float64
		points, times2 []int
	}{
		"goes through two points at least":        {[]float64{0}, []int{4, 1, 2}, []int{4}},
		"Times[1] is 2: a model's times":          {[]float64{0, 2}, []int{4, 2, 2}, []int{4}},
		"Times[0] is NaN":                         {[]float64{math.NaN(), 1}, []int{4, 2, 2}, []int{4}},
		"Times[0] is 0.5 and Times[1] is 0.5":     {[]float64{0.5, 0.5}, []int{4, 2, 2}, []int{4}},
		"the points are (Float32)[4, 2, 2] and t": {good, []int{4, 2, 2}, []int{4}},
		"and t (Float32): expected lead+[3]":      {good, []int{4, 3, 2}, nil},
		"axis 0":                                  {good, []int{4, 3, 2}, []int{5}},
	} {
		_, err := CallOnce(backend, path.Curve{Times: c.times}.Point, zeros(c.points), zeros(c.times2))
		gomlxtest.Says(t, want, err, want)
	}
}

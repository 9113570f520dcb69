package transform

import (
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Circle maps an angle, or whatever is periodic, to two columns: y = (r·cos φ, r·sin φ), with
// φ = 2π(x-Low)/Period, so that the two ends of a period are neighbours. The radius is drawn
// from Rayleigh's distribution q(r) = r·exp(-r²/2), which makes a uniform angle standard normal
// in the plane: what a model has to learn is only how the angle differs from that.
//
// The density of the angle is ∫p(r·cos φ, r·sin φ)·r dr, the mean of p·r/q over the radius. So
// logDet is r²/2 + log(2π/Period); the log-density that comes out depends on the radius drawn,
// and averaged over it is a lower bound of the angle's. It is exact where the model's radius and
// angle are independent, and the radius has Rayleigh's distribution, as in the data.
//
// Without noise, as for contexts, the radius is 1.
//
// Every finite x is an angle: one beyond a period is the same as that within it, and comes back
// there. So 3π and π are one event with one density, which is that of an angle within a period; to
// refuse angles beyond it, look at them before.
//
// The two columns of a column stand together: (x₀, x₁) becomes (y₀₀, y₀₁, y₁₀, y₁₁). Derivatives
// of Inverse are right up to the fourth.
type Circle struct {
	// Period is that of x. 0 is 2π.
	Period float64

	// Low is where Inverse has the period begin: x comes back from Low to Low+Period. For
	// angles from -π it is -π.
	Low float64
}

// Forward implements [Transform].
func (c Circle) Forward(random distribution.Random, x *Node) (y, logDet *Node) {
	must(c.validate())
	columns := lastAxis("Circle", x)
	angle := Mul(Sub(x, ConstAs(x, c.Low)), ConstAs(x, 2*math.Pi/c.period()))
	r2 := OnesLike(x)
	if random != nil {
		u := random.RandomUniform(x.Graph(), x.Shape())
		// At the radius 0 there would be no angle.
		r2 = Mul(ConstAs(x, -2), Log1P(Neg(Max(u, ConstAs(x, 0x1p-24)))))
	}
	r := Sqrt(r2)
	y = Stack([]*Node{Mul(r, Cos(angle)), Mul(r, Sin(angle))}, -1)
	return Reshape(y, withLast(x.Shape().Dimensions, 2*columns)...), c.logDet(r2)
}

// Inverse implements [Transform].
func (c Circle) Inverse(y *Node) (x, logDet *Node) {
	must(c.validate())
	columns := lastAxis("Circle", y)
	if columns%2 != 0 {
		exceptions.Panicf("transform.Circle: y is %s: expected two columns for each angle", y.Shape())
	}
	dims := withLast(y.Shape().Dimensions, columns/2)
	pairs := Reshape(y, append(append([]int{}, dims...), 2)...)
	coordinate := func(i int) *Node { return Reshape(SliceAxis(pairs, -1, AxisElem(i)), dims...) }
	cos, sin := coordinate(0), coordinate(1)
	angle := atan2(sin, cos)
	angle = Where(LessThan(angle, ConstAs(y, 0)), Add(angle, ConstAs(y, 2*math.Pi)), angle)
	x = Add(ConstAs(y, c.Low), Mul(angle, ConstAs(y, c.period()/(2*math.Pi))))
	return x, c.logDet(Add(Square(cos), Square(sin)))
}

// atan2 is graph.Atan2 with its derivatives, which GoMLX lacks: those of the angle by which a
// point is turned from where it is, atan(t) = t - t³/3 + …, at t = 0.
func atan2(sin, cos *Node) *Node {
	s, c := StopGradient(sin), StopGradient(cos)
	along := Max(Add(Mul(c, cos), Mul(s, sin)), ConstAs(sin, 1e-30))
	t := Div(Sub(Mul(c, sin), Mul(s, cos)), along)
	zero := Sub(t, Mul(ConstAs(t, 1./3), Mul(t, Square(t))))
	return Add(Atan2(s, c), zero)
}

// logDet is that of a squared radius.
func (c Circle) logDet(r2 *Node) *Node {
	return Add(Mul(r2, ConstAs(r2, 0.5)), ConstAs(r2, math.Log(2*math.Pi/c.period())))
}

// ModelShape implements [Transform].
func (c Circle) ModelShape(event []int) ([]int, error) {
	if len(event) == 0 {
		return nil, fmt.Errorf("transform.Circle: an event has the shape %s: expected a last axis of angles, of size 1 for one", shape.Format(event))
	}
	return withLast(event, 2*event[len(event)-1]), c.validate()
}

// WithDefaults returns the transform with the period 2π where it is 0.
func (c Circle) WithDefaults() Circle {
	c.Period = c.period()
	return c
}

func (c Circle) period() float64 {
	if c.Period == 0 {
		return 2 * math.Pi
	}
	return c.Period
}

func (c Circle) validate() error {
	if !(c.period() > 0) || math.IsInf(c.Period, 0) || math.IsNaN(c.Low) || math.IsInf(c.Low, 0) {
		return fmt.Errorf("transform.Circle: Period is %v and Low %v: both must be finite, and Period positive, or 0 for 2π", c.Period, c.Low)
	}
	return nil
}

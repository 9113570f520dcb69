package gomlx

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// NormalQuantile is the standard normal's quantile function at probabilities u from 0 to 1,
// which are kept away from both ends by the machine epsilon, so that it is finite. It is
// Giles's single-precision approximation of the inverse error function (2012, GPU Computing
// Gems, ch. 10), in Float64 with two steps of Newton's method on the error function itself.
func NormalQuantile(u *Node) *Node {
	eps := Epsilon(u.DType())
	x := AddScalar(MulScalar(u, 2), -1)
	x = MinScalar(MaxScalar(x, eps-1), 1-eps)
	w := Neg(Log(Mul(OneMinus(x), OnePlus(x))))
	middle := polynomial(AddScalar(w, -2.5), 2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06,
		0.00021858087, -0.00125372503, -0.00417768164, 0.246640727, 1.50140941)
	tails := polynomial(AddScalar(Sqrt(w), -3), -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844,
		0.00573950773, -0.0076224613, 0.00943887047, 1.00167406, 2.83297682)
	z := Mul(x, Where(LessThan(w, ConstAs(w, 5)), middle, tails))
	if u.DType() == dtypes.Float64 { // in Float32 the difference of erf and x is rounding alone
		for range 2 { // the derivative of erf is 2/√π·exp(-z²)
			z = Sub(z, Mul(Sub(Erf(z), x), MulScalar(Exp(Square(z)), math.Sqrt(math.Pi)/2)))
		}
	}
	return MulScalar(z, math.Sqrt2)
}

// polynomial is that of x with the given coefficients, the highest power first.
func polynomial(x *Node, coefficients ...float64) *Node {
	p := ConstAs(x, coefficients[0])
	for _, c := range coefficients[1:] {
		p = AddScalar(Mul(p, x), c)
	}
	return p
}

package solver

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// phis are φ₁(x) to φₙ(x), the functions of exponential integrators,
//
//	φₖ(x) = ∫₀¹ exp((1-θ)·x)·θ^(k-1)/(k-1)! dθ,   φₖ₊₁(x) = (φₖ(x) - 1/k!)/x
//
// (Hochbruck & Ostermann 2010, Acta Numerica 19, 209, eq. 2.11). The recursion loses digits
// where x is small. There the last one is its series, and the others follow downwards.
func phis(x *Node, n int) []*Node {
	const most, terms = 1, 16 // 1/16! is 5·10⁻¹⁴, and a term is at most that of φₙ itself
	c := func(v float64) *Node { return ConstAs(x, v) }
	factorial := func(k int) float64 {
		f := 1.
		for i := 2; i <= k; i++ {
			f *= float64(i)
		}
		return f
	}
	near := LessOrEqual(Abs(x), c(most))
	small, large := Where(near, x, ZerosLike(x)), Where(near, OnesLike(x), x)
	series := c(1 / factorial(n+terms))
	for i := terms - 1; i >= 0; i-- {
		series = Add(Mul(series, small), c(1/factorial(n+i)))
	}
	below := make([]*Node, n)
	for k := n; k >= 1; k-- {
		below[k-1] = series
		series = Add(Mul(series, small), c(1/factorial(k-1)))
	}
	out, above := make([]*Node, n), Exp(large)
	for k := range n {
		above = Div(Sub(above, c(1/factorial(k))), large)
		out[k] = Where(near, below[k], above)
	}
	return out
}

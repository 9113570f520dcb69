package gomlx_test

import (
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// What pads and cuts has derivatives of any order: those of f(x) = Σ w·(Px)³ are sums over
// where Px has x.
func TestPadHasDerivatives(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		out, err := CallOnceN(backend, func(x, fill *Node) []*Node {
			padded := Pad(x, fill, PadAxis{Start: 1, End: 2, Interior: 1}, PadAxis{Start: 0, End: 1})
			weights := AddScalar(Iota(x.Graph(), padded.Shape(), 0), 1) // the number of the row, from 1
			value := ReduceAllSum(Mul(weights, Mul(padded, Square(padded))))
			first := Gradient(value, x, fill)
			second := Gradient(ReduceAllSum(first[0]), x)[0]
			third := Gradient(ReduceAllSum(second), x)[0]
			return []*Node{first[0], first[1], second, third}
		}, [][]float64{{1, 2}, {3, 4}}, 0.5)
		if err != nil {
			t.Fatal(err)
		}
		// Rows 0 to 5 of three columns; x is in rows 1 and 3, whose weights are 2 and 4.
		gomlxtest.Near(t, "by x", gomlxtest.Floats(t, out[0], nil), []float64{2 * 3, 2 * 12, 4 * 27, 4 * 48}, 1e-12)
		filled := 3*(1+3+5+6) + 2 + 4 // the weights of what is filled
		gomlxtest.Near(t, "by what fills", gomlxtest.Floats(t, out[1], nil), []float64{float64(filled) * 3 * 0.25}, 1e-12)
		gomlxtest.Near(t, "twice", gomlxtest.Floats(t, out[2], nil), []float64{2 * 6, 2 * 12, 4 * 18, 4 * 24}, 1e-12)
		gomlxtest.Near(t, "three times", gomlxtest.Floats(t, out[3], nil), []float64{12, 12, 24, 24}, 1e-12)

		// A slice with a stride, and its second derivative.
		out, err = CallOnceN(backend, func(x *Node) []*Node {
			value := ReduceAllSum(Mul(Square(Slice(x, AxisRange(1, 6).Stride(2))), ConstAs(x, 0.5)))
			first := Gradient(value, x)[0]
			return []*Node{first, Gradient(ReduceAllSum(Square(first)), x)[0]}
		}, []float64{1, 2, 3, 4, 5, 6, 7})
		if err != nil {
			t.Fatal(err)
		}
		gomlxtest.Near(t, "a slice", gomlxtest.Floats(t, out[0], nil), []float64{0, 2, 0, 4, 0, 6, 0}, 1e-12)
		gomlxtest.Near(t, "a slice, twice", gomlxtest.Floats(t, out[1], nil), []float64{0, 4, 0, 8, 0, 12, 0}, 1e-12)
	})
}

package solver

import (
	"fmt"
	"math"
	"math/big"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// The φ functions agree with their series Σ xⁱ/(i+k)!, summed with 200 bits, for steps of any
// length: where the recursion and the series meet, at tiny ones and at 0.
func TestPhis(t *testing.T) {
	points := []float64{0, 1e-300, 1e-9, -1e-9, 1e-3, -0.01, 0.5, -0.999, 1, -1, 1.001, -1.001, 2, -3, 9, -9, 30, -30}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		out, err := CallOnceN(backend, func(x *Node) []*Node { return phis(x, 4) }, points)
		if err != nil {
			t.Fatal(err)
		}
		for k := 1; k <= 4; k++ {
			got := tensors.MustCopyFlatData[float64](out[k-1])
			for i, x := range points {
				// Each level of the recursion from |x| = 1 upwards loses few digits.
				want := phiSeries(k, x)
				gomlxtest.Close(t, fmt.Sprintf("φ%d(%v)", k, x), got[i], want, 2e-14*math.Max(want, math.Exp(x)/math.Max(1, math.Pow(math.Abs(x), float64(k)))))
			}
		}
	})
}

func phiSeries(k int, x float64) float64 {
	number := func(v float64) *big.Float { return new(big.Float).SetPrec(200).SetFloat64(v) }
	sum, term := number(0), number(1)
	for i := 1; i <= k; i++ {
		term.Quo(term, number(float64(i)))
	}
	for i := range 400 {
		sum.Add(sum, term)
		term.Mul(term, number(x))
		term.Quo(term, number(float64(i+k+1)))
	}
	value, _ := sum.Float64()
	return value
}

package loss

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// CheckLaw tests a law of times: that its parameters are in range, its quantiles lie in
// [0, 1] and rise, and its density is theirs. Call it from a test for a law of your own.
func CheckLaw(backend compute.Backend, l Law) error {
	switch {
	case l == nil:
		return errors.New("loss.CheckLaw: the law is nil")
	case backend == nil:
		return errors.New("loss.CheckLaw: " + gomlx.NoBackend)
	}
	if err := (Times{Law: l}).Validate(); err != nil {
		return err
	}
	const n, parts = 64, 64 // intervals between quantiles, and pieces of each
	edges := make([]float64, n+1)
	for i := range edges {
		edges[i] = (float64(i) + 0.5) / (n + 1)
	}
	t, err := applied(backend, l.Quantile, edges)
	if err != nil {
		return fmt.Errorf("loss.CheckLaw: Quantile of %v %w", l, err)
	}
	for i, v := range t {
		if !(v >= 0 && v <= 1) {
			return fmt.Errorf("loss.CheckLaw: the quantile %.4g of %v is %v: it must lie in [0, 1]", edges[i], l, v)
		}
		if i > 0 && v < t[i-1] {
			return fmt.Errorf("loss.CheckLaw: the quantile %.4g of %v is %v, and the quantile %.4g is %v: it must not fall", edges[i-1], l, t[i-1], edges[i], v)
		}
	}
	var at []float64
	for i := range n {
		for k := range parts {
			at = append(at, t[i]+(t[i+1]-t[i])*(float64(k)+0.5)/parts)
		}
	}
	density, err := applied(backend, l.Density, at)
	if err != nil {
		return fmt.Errorf("loss.CheckLaw: Density of %v %w", l, err)
	}
	for i := range n {
		pieces := density[i*parts : (i+1)*parts]
		probability, width := 0.0, (t[i+1]-t[i])/parts
		for _, d := range pieces {
			probability += d * width
		}
		// Where the density jumps, the sum is off by a piece.
		if want := 1. / (n + 1); !(math.Abs(probability-want) <= 0.02*want+2*slices.Max(pieces)*width) {
			return fmt.Errorf("loss.CheckLaw: the density between the quantiles %.4g and %.4g of %v, t = %.6g and %.6g, adds up to %.6g: expected %.6g",
				edges[i], edges[i+1], l, t[i], t[i+1], probability, want)
		}
	}
	return nil
}

// applied is f at the given values.
func applied(backend compute.Backend, f func(*Node) *Node, at []float64) (values []float64, err error) {
	err = gomlx.Try(func() error {
		out, err := CallOnce(backend, f, at)
		if err != nil {
			return err
		}
		defer out.MustFinalizeAll()
		if out.Rank() != 1 || out.Size() != len(at) {
			return fmt.Errorf("returned %s for %d values: it must be shaped like its argument", out.Shape(), len(at))
		}
		values = tensors.MustCopyFlatData[float64](out)
		return nil
	})
	return values, err
}

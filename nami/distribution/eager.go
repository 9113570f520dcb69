package distribution

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Batched is a distribution of which there is one for each element of a batch.
type Batched interface {
	Distribution

	// BatchShape is the shape of the batch; empty for one distribution.
	BatchShape() []int
}

// Draw draws samples of shape sample_shape+batch_shape+event_shape, with a batch if d is
// [Batched]. The seed fixes them, and the first axis of the result may grow without changing
// the rows that were there. It compiles at every call.
func Draw(backend compute.Backend, d Distribution, seed int64, dtype dtypes.DType, sampleShape ...int) (*tensors.Tensor, error) {
	if backend == nil || d == nil {
		return nil, fmt.Errorf("distribution.Draw: the backend (%T) or the distribution (%T) is nil", backend, d)
	}
	lead := slices.Clone(sampleShape)
	if b, ok := d.(Batched); ok {
		lead = append(lead, b.BatchShape()...)
	}
	if slices.ContainsFunc(lead, func(n int) bool { return n < 1 }) || dtype != dtypes.Float32 && dtype != dtypes.Float64 {
		return nil, fmt.Errorf("distribution.Draw: can't draw %s values of lead %s: expected Float32 or Float64, and every axis at least 1", dtype, shape.Format(lead))
	}
	return call(backend, "Draw", d, func(key *Node) *Node {
		return d.Sample(gomlx.NewCounter(key, Const(key.Graph(), uint32(0))), key.Graph(), dtype, lead...)
	}, gomlx.Key(seed, 0))
}

// Density returns d's log-density of x, lead+event, in nats, of the lead's shape. An x without
// events is an error, as are values that are not finite. It compiles at every call.
func Density(backend compute.Backend, d Distribution, x *tensors.Tensor) (*tensors.Tensor, error) {
	if backend == nil || d == nil {
		return nil, fmt.Errorf("distribution.Density: the backend (%T) or the distribution (%T) is nil", backend, d)
	}
	if _, err := gomlx.Floats("x", x); err != nil {
		return nil, fmt.Errorf("distribution.Density: %w", err)
	}
	if x.Size() == 0 { // GoMLX's pure Go backend may not survive it
		return nil, fmt.Errorf("distribution.Density: x is %s: expected at least one event of shape %s", x.Shape(), shape.Format(d.EventShape()))
	}
	return call(backend, "Density", d, d.LogProb, x)
}

// call runs f. Only a density may be infinite, -∞ where there is none.
func call(backend compute.Backend, name string, d Distribution, f func(in *Node) *Node, in *tensors.Tensor) (out *tensors.Tensor, err error) {
	err = gomlx.Try(func() error {
		out, err = CallOnce(backend, f, in)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("distribution.%s: %w", name, err)
	}
	readErr := gomlx.EachFloat(out, func(i int, v float64) {
		if err == nil && (math.IsNaN(v) || math.IsInf(v, 1)) {
			err = fmt.Errorf("distribution.%s: value %d of the result, %s, is %v: %s can't hold what %v computes it from", name, i, out.Shape(), v, out.DType(), d)
		}
	})
	if err = cmp.Or(err, readErr); err != nil {
		out.MustFinalizeAll()
		return nil, err
	}
	return out, nil
}

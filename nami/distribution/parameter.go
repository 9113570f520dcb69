package distribution

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// parameter is a distribution's parameter, whose values are known on the host.
type parameter struct {
	name   string
	dims   []int
	values []float64
}

// newParameter reads t, which must hold finite floats, at least one.
func newParameter(name string, t *tensors.Tensor) (parameter, error) {
	values, err := gomlx.Floats(name, t)
	if err == nil && len(values) == 0 {
		err = fmt.Errorf("%s is %s: expected at least one value", name, t.Shape())
	}
	if err != nil {
		return parameter{}, err
	}
	return parameter{name: name, dims: slices.Clone(t.Shape().Dimensions), values: values}, nil
}

// checkEvent refuses the shape of an event that has no values.
func checkEvent(event []int) error {
	if slices.ContainsFunc(event, func(size int) bool { return size < 1 }) {
		return fmt.Errorf("an event has shape %s: every axis needs at least 1", shape.Format(event))
	}
	return nil
}

// positive refuses values that aren't.
func (p parameter) positive() error {
	for i, v := range p.values {
		if v <= 0 {
			return fmt.Errorf("value %d of %s, of shape %s, is %v: it must be positive", i, p.name, shape.Format(p.dims), v)
		}
	}
	return nil
}

// sameShape refuses two parameters of different shapes.
func sameShape(a, b parameter) error {
	if !slices.Equal(a.dims, b.dims) {
		return fmt.Errorf("%s has shape %s and %s %s: both must have one shape", a.name, shape.Format(a.dims), b.name, shape.Format(b.dims))
	}
	return nil
}

func (p parameter) node(g *Graph, dtype dtypes.DType) *Node {
	return Reshape(ConstAsDType(g, dtype, p.values), p.dims...)
}

// over is the parameter, batch+trailing axes of the given rank, repeated over a lead that
// ends in the batch.
func (p parameter) over(g *Graph, dtype dtypes.DType, lead []int, rank int) *Node {
	return shape.Expand(p.node(g, dtype), lead, rank)
}

// String tells the values apart from others': itself or, if there are many, by their hash.
func (p parameter) String() string {
	const few = 8
	if len(p.values) <= few {
		return fmt.Sprintf("%s %v", p.name, p.values)
	}
	hash := sha256.New()
	for _, v := range p.values {
		hash.Write(binary.LittleEndian.AppendUint64(nil, math.Float64bits(v)))
	}
	return fmt.Sprintf("%s %s#%x", p.name, shape.Format(p.dims), hash.Sum(nil)[:6])
}

package distribution

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/event"

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

// newParameter reads t, which must hold finite floats.
func newParameter(name string, t *tensors.Tensor) (parameter, error) {
	if t == nil {
		return parameter{}, errors.New(name + " is nil")
	}
	values, err := floats(name, t)
	return parameter{name: name, dims: slices.Clone(t.Shape().Dimensions), values: values}, err
}

// floats are a parameter's values, which must be finite floats.
func floats(name string, t *tensors.Tensor) (values []float64, err error) {
	err = t.ConstFlatData(func(flat any) {
		switch flat := flat.(type) {
		case []float64:
			values = slices.Clone(flat)
		case []float32:
			for _, v := range flat {
				values = append(values, float64(v))
			}
		}
	})
	if err != nil {
		return nil, err
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("%s is %s: expected Float32 or Float64 values, at least one", name, t.Shape())
	}
	for i, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("value %d of %s, of shape %s, is %v: it must be finite", i, name, t.Shape(), v)
		}
	}
	return values, nil
}

// positive refuses values that aren't.
func (p parameter) positive() error {
	for i, v := range p.values {
		if v <= 0 {
			return fmt.Errorf("value %d of %s, of shape %s, is %v: it must be positive", i, p.name, event.Format(p.dims), v)
		}
	}
	return nil
}

// sameShape refuses two parameters of different shapes.
func sameShape(a, b parameter) error {
	if !slices.Equal(a.dims, b.dims) {
		return fmt.Errorf("%s has shape %s and %s %s: both must have one shape", a.name, event.Format(a.dims), b.name, event.Format(b.dims))
	}
	return nil
}

func (p parameter) node(g *Graph, dtype dtypes.DType) *Node {
	return Reshape(ConstAsDType(g, dtype, p.values), p.dims...)
}

// over is the parameter, batch+trailing axes of the given rank, repeated over a lead that
// ends in the batch.
func (p parameter) over(g *Graph, dtype dtypes.DType, lead []int, rank int) *Node {
	return event.Expand(p.node(g, dtype), lead, rank)
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
	return fmt.Sprintf("%s %s#%x", p.name, event.Format(p.dims), hash.Sum(nil)[:6])
}

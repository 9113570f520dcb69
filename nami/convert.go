package nami

import (
	"errors"
	"fmt"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Convert returns a copy of a model's variables with all that are floating-point numbers
// in another dtype, dtypes.Float32 or dtypes.Float64: to compute in it (see [DType]), or,
// with the dtype that they have, to use the model on another backend. What is trainable
// stays so; the store that it is made from is only read.
func Convert(store *model.Store, dtype dtypes.DType) (*model.Store, error) {
	if store == nil {
		return nil, errors.New("nami: the store is nil: make one with model.NewStore(), and train or load a model in it")
	}
	if dtype != dtypes.Float32 && dtype != dtypes.Float64 {
		return nil, fmt.Errorf("nami: can't convert to %s: expected Float32 or Float64", dtype)
	}
	converted := model.NewStore()
	for v := range store.IterVariables() {
		if v.Path() == "/"+model.RNGStateVariableName {
			continue // a new store starts its own
		}
		value, err := v.Value()
		if err != nil {
			return nil, fmt.Errorf("nami: the variable %s has no value yet: train or initialise the model first: %w", v.Path(), err)
		}
		copied, err := convert(value, dtype)
		if err != nil {
			return nil, fmt.Errorf("nami: the variable %s: %w", v.Path(), err)
		}
		converted.VariableWithValue(v.Path(), copied).SetTrainable(v.Trainable)
	}
	for path, value := range store.IterParams() { // which field the weights were trained as
		converted.SetParam(path, value)
	}
	return converted, nil
}

// convert copies a tensor, as dtype if it holds floating-point numbers.
func convert(t *tensors.Tensor, dtype dtypes.DType) (*tensors.Tensor, error) {
	if t.DType() == dtype || t.DType() != dtypes.Float32 && t.DType() != dtypes.Float64 {
		return t.LocalClone()
	}
	values := make([]float64, t.Size())
	err := gomlx.EachFloat(t, func(i int, v float64) { values[i] = v })
	return gomlx.FromFloats(dtype, values, t.Shape().Dimensions...), err
}

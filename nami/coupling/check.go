package coupling

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Check reports where c breaks a rule of [Coupling], for the test of one's own: on batches of
// several sizes, event shapes and dtypes, pairs must be a permutation of the rows, the same
// each time, the batches must stay as they are, and what doesn't fit must be an error.
func Check(c Coupling) error {
	if c == nil {
		return errors.New("coupling.Check: the coupling is nil")
	}
	for _, dims := range [][]int{{1, 2}, {2}, {7, 1}, {6, 2, 3}, {16, 2}} {
		for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
			if err := checkPairs(c, batch(dtype, 1, dims...), batch(dtype, 2, dims...)); err != nil {
				return fmt.Errorf("coupling.Check: %T: %w, for source and target of shape %s %s", c, err, dtype, shape.Format(dims))
			}
		}
	}
	if err := checkErrors(c); err != nil {
		return fmt.Errorf("coupling.Check: %T: %w", c, err)
	}
	return nil
}

func checkPairs(c Coupling, source, target *tensors.Tensor) error {
	sourceCopy, targetCopy, err := read(source, target)
	if err != nil {
		return err
	}
	pair, err := c.Pair(source, target)
	if err != nil {
		return fmt.Errorf("Pair failed: %w", err)
	}
	n := source.Shape().Dimensions[0]
	if len(pair) != n {
		return fmt.Errorf("Pair returned %d rows: it must return one for each of the %d", len(pair), n)
	}
	sorted := slices.Sorted(slices.Values(pair))
	for i, row := range sorted {
		if row != i {
			return fmt.Errorf("Pair returned %v, which is no permutation of 0 to %d: each row must occur once", pair, n-1)
		}
	}
	sources, targets, err := read(source, target)
	if err != nil || !slices.Equal(sources, sourceCopy) || !slices.Equal(targets, targetCopy) {
		return errors.New("Pair changed the source or the target: it may only read them")
	}
	again, err := c.Pair(source, target)
	if err != nil {
		return fmt.Errorf("Pair failed when it was called again: %w", err)
	}
	if !slices.Equal(pair, again) {
		return fmt.Errorf("Pair returned %v, and %v when it was called again: the same batches must give the same pairs", pair, again)
	}
	return nil
}

// checkErrors calls c with what must be an error.
func checkErrors(c Coupling) error {
	good := batch(dtypes.Float32, 1, 4, 2)
	bad := func(v float32) *tensors.Tensor {
		return tensors.FromValue([][]float32{{0, 1}, {2, 3}, {4, v}, {6, 7}})
	}
	for _, wrong := range []struct {
		what   string
		target *tensors.Tensor
	}{
		{"a target that is nil", nil},
		{"a target of 5 rows for a source of 4", batch(dtypes.Float32, 2, 5, 2)},
		{"a target with events of shape (3) for a source's (2)", batch(dtypes.Float32, 2, 4, 3)},
		{"a target of Float64 for a source of Float32", batch(dtypes.Float64, 2, 4, 2)},
		{"a target with a NaN", bad(float32(math.NaN()))},
		{"a target with an infinite value", bad(float32(math.Inf(1)))},
	} {
		for _, swapped := range []bool{false, true} {
			source, target := good, wrong.target
			if swapped {
				source, target = target, source
			}
			if err := pairSafely(c, source, target); err == nil {
				return fmt.Errorf("Pair accepted %s (swapped: %v): it must be an error; coupling.Validate finds it", wrong.what, swapped)
			} else if errors.As(err, new(panicked)) {
				return fmt.Errorf("Pair was given %s (swapped: %v): %w", wrong.what, swapped, err)
			}
		}
	}
	return nil
}

// panicked is the error that a panic is turned into.
type panicked struct{ value any }

func (p panicked) Error() string {
	return fmt.Sprintf("it panicked (%v): it must return an error", p.value)
}

func pairSafely(c Coupling, source, target *tensors.Tensor) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicked{r}
		}
	}()
	_, err = c.Pair(source, target)
	return err
}

// batch is a batch of normal numbers.
func batch(dtype dtypes.DType, seed uint64, dims ...int) *tensors.Tensor {
	rng := rand.New(rand.NewPCG(seed, 0))
	t := tensors.FromShape(shapes.Make(dtype, dims...))
	t.MustMutableFlatData(func(flat any) {
		switch flat := flat.(type) {
		case []float32:
			for i := range flat {
				flat[i] = float32(rng.NormFloat64())
			}
		case []float64:
			for i := range flat {
				flat[i] = rng.NormFloat64()
			}
		}
	})
	return t
}

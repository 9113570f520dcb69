package coupling

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Check reports where c breaks a rule of [Coupling], for a test of your own coupling: on
// batches of several sizes, event shapes and dtypes, each event must get a row that exists, or [LeftOut],
// and the same row for the same state of the random source; every row of the source must come
// as often as any other; the batches must stay as they are; and what doesn't fit must be
// an error. A [Conditional] is given contexts too: it must leave them as they are,
// and refuse those that don't fit.
//
// How often rows come is counted over 400 calls, and may be off by 100, or 5 standard
// deviations: a coupling that draws each row independently is refused wrongly in fewer than
// 2 of 1,000 cases, and in the same ones each time, as the seeds are fixed.
func Check(c Coupling) error {
	if c == nil {
		return errors.New("coupling.Check: the coupling is nil")
	}
	for _, dims := range [][]int{{1, 2}, {2}, {7, 1}, {6, 2, 3}, {16, 2}} {
		for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
			contexts := []*tensors.Tensor{nil}
			if TakesContexts(c) {
				contexts = append(contexts, batch(dtype, 3, dims[0], 2))
			}
			for _, context := range contexts {
				if err := checkPairs(c, batch(dtype, 1, dims...), batch(dtype, 2, dims...), context); err != nil {
					return fmt.Errorf("coupling.Check: %T: %w, for source and target of shape %s %s", c, err, dtype, shape.Format(dims))
				}
			}
		}
	}
	if err := checkErrors(c); err != nil {
		return fmt.Errorf("coupling.Check: %T: %w", c, err)
	}
	return nil
}

// calls is how often [Check] pairs the same batches, and off by how much the number of
// times that a row comes in these calls may be from it: 5·√calls, as the variance of the
// number is at most calls.
const (
	calls = 400
	off   = 100
)

func checkPairs(c Coupling, source, target, context *tensors.Tensor) error {
	sourceCopy, targetCopy, err := read(source, target)
	if err != nil {
		return err
	}
	var contextCopy []float64
	if context != nil {
		if contextCopy, err = gomlx.Floats("context", context); err != nil {
			return err
		}
	}
	n := source.Shape().Dimensions[0]
	times, paired := make([]int, n), 0
	var pairs []int
	for call := range calls {
		if pairs, err = pairSafely(c, seeded(call), source, target, context); err != nil {
			return fmt.Errorf("Pair failed: %w", err)
		}
		if len(pairs) != n {
			return fmt.Errorf("Pair returned %d rows: it must return one for each of the %d events", len(pairs), n)
		}
		for i, row := range pairs {
			if row == LeftOut {
				continue
			}
			if row < 0 || row >= n {
				return fmt.Errorf("Pair gave event %d the row %d of a source of %d: rows are 0 to %d, or coupling.LeftOut", i, row, n, n-1)
			}
			times[row]++
			paired++
		}
	}
	if paired == 0 {
		return fmt.Errorf("Pair left out all events in %d calls", calls)
	}
	each := paired / n
	for row, k := range times {
		if k < each-off || k > each+off {
			return fmt.Errorf("row %d of the source came %d times in %d calls of Pair, with other random numbers in each: every row must come as often as any other, %d times give or take %d", row, k, calls, each, off)
		}
	}
	sources, targets, err := read(source, target)
	if err != nil || !slices.Equal(sources, sourceCopy) || !slices.Equal(targets, targetCopy) {
		return errors.New("Pair changed the source or the target: it may only read them")
	}
	if context != nil {
		if contexts, err := gomlx.Floats("context", context); err != nil || !slices.Equal(contexts, contextCopy) {
			return errors.New("Pair changed the context: it may only read it")
		}
	}
	again, err := pairSafely(c, seeded(calls-1), source, target, context)
	if err != nil {
		return fmt.Errorf("Pair failed when it was called again: %w", err)
	}
	if !slices.Equal(pairs, again) {
		return fmt.Errorf("Pair returned %v, and %v when it was called again: the same batches and the same random numbers must give the same pairs", pairs, again)
	}
	return nil
}

// seeded is the random source of a call.
func seeded(call int) *rand.Rand { return rand.New(rand.NewPCG(4, uint64(call))) }

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
			if err := mustFail(c, fmt.Sprintf("%s (swapped: %v)", wrong.what, swapped), source, target, nil); err != nil {
				return err
			}
		}
	}
	if !TakesContexts(c) {
		return nil
	}
	target := batch(dtypes.Float32, 2, 4, 2)
	return cmp.Or(
		mustFail(c, "a context of 5 rows for a target of 4", good, target, batch(dtypes.Float32, 3, 5, 2)),
		mustFail(c, "a context without rows", good, target, batch(dtypes.Float32, 3)),
		mustFail(c, "a context with a NaN", good, target, bad(float32(math.NaN()))),
		mustFail(c, "a context with an infinite value", good, target, bad(float32(math.Inf(1)))),
	)
}

// mustFail calls c with input that it must refuse: it returns an error where c accepts it, or
// panics.
func mustFail(c Coupling, what string, source, target, context *tensors.Tensor) error {
	if _, err := pairSafely(c, seeded(0), source, target, context); err == nil {
		return fmt.Errorf("Pair accepted %s: it must be an error; coupling.Validate finds it", what)
	} else if errors.As(err, new(gomlx.Panicked)) {
		return fmt.Errorf("Pair was given %s, which must be an error: %w", what, err)
	}
	return nil
}

func pairSafely(c Coupling, random *rand.Rand, source, target, context *tensors.Tensor) (rows []int, err error) {
	err = gomlx.Guard("Pair", func() (err error) {
		rows, err = c.Pair(random, source, target, context)
		return err
	})
	return rows, err
}

// batch is a batch of normal numbers.
func batch(dtype dtypes.DType, seed uint64, dims ...int) *tensors.Tensor {
	random := rand.New(rand.NewPCG(seed, 0))
	flat := make([]float64, shape.Size(dims))
	for i := range flat {
		flat[i] = random.NormFloat64()
	}
	return gomlx.FromFloats(dtype, flat, dims...)
}

package diagnostic

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
)

// ConvergenceStudy says how a solve's error falls with its number of steps.
type ConvergenceStudy struct {
	// Steps are the numbers of steps, all but the finest, in rising order.
	Steps []int

	// Errors are the distances of their samples from those of the finest solve: the root of
	// the mean square over events, in the unit of x.
	Errors []float64

	// Order is p where the error is C/steps^p, 4 for RK4 once steps are short enough: the
	// slope of log error over log steps, corrected for the finest solve's own error.
	Order float64
}

// String lists steps and errors on one line.
func (s ConvergenceStudy) String() string {
	return fmt.Sprintf("order %.2f; steps %v, errors %.2g", s.Order, s.Steps, s.Errors)
}

// Convergence carries the same noise to data with each of the numbers of steps, at least
// three, and compares with the solve of the most. bind makes the process with so many
// steps:
//
//	func(steps int) (*nami.Process, error) {
//		flow.Solver = solver.RK4(steps)
//		return flow.Bind(backend, store, nil, nami.DType(dtypes.Float64))
//	}
//
// In float32 errors don't fall below about 1e-6, which spoils the order of accurate
// methods. A stochastic solver, which gives other samples each time, is an error, and so
// are solves that don't differ.
func Convergence(ctx context.Context, noise *tensors.Tensor, steps []int, bind func(steps int) (*nami.Process, error)) (ConvergenceStudy, error) {
	study, err := converge(ctx, noise, steps, bind)
	if err != nil {
		return ConvergenceStudy{}, fmt.Errorf("diagnostic.Convergence: %w", err)
	}
	return study, nil
}

func converge(ctx context.Context, noise *tensors.Tensor, steps []int, bind func(steps int) (*nami.Process, error)) (study ConvergenceStudy, err error) {
	if bind == nil {
		return study, errors.New("bind is nil: give a function that binds the model with a number of steps")
	}
	steps = slices.Sorted(slices.Values(steps))
	if len(slices.Compact(slices.Clone(steps))) != len(steps) || len(steps) < 3 || steps[0] < 1 {
		return study, fmt.Errorf("the steps are %v: give at least three different numbers, 1 or more, such as 8, 16, 32, 64", steps)
	}
	finest := len(steps) - 1
	samples := make([]*tensors.Tensor, len(steps))
	var shape []int
	for i, n := range steps {
		process, err := bind(n)
		if err != nil {
			return study, err
		}
		if process == nil {
			return study, fmt.Errorf("bind gave no process for %d steps, and no error", n)
		}
		if samples[i], err = process.SampleFrom(ctx, noise); err != nil {
			return study, fmt.Errorf("with %d steps: %w", n, err)
		}
		defer samples[i].MustFinalizeAll()
		if i > 0 {
			continue
		}
		shape = process.EventShape()
		if err := deterministic(ctx, process, noise, samples[i]); err != nil {
			return study, err
		}
	}
	for i, n := range steps[:finest] {
		off, err := distances(samples[i], samples[finest], shape)
		if err != nil {
			return study, err
		}
		rms := floats.Norm(off, 2) / math.Sqrt(float64(len(off)))
		if rms == 0 {
			return study, fmt.Errorf("%d and %d steps give the same samples: there is no error to measure; does bind use its argument?", n, steps[finest])
		}
		study.Steps, study.Errors = append(study.Steps, n), append(study.Errors, rms)
	}
	study.Order = order(study.Steps, study.Errors, steps[finest])
	return study, nil
}

// deterministic refuses a process that makes other samples of the same noise.
func deterministic(ctx context.Context, process *nami.Process, noise, samples *tensors.Tensor) error {
	again, err := process.SampleFrom(ctx, noise)
	if err != nil {
		return err
	}
	defer again.MustFinalizeAll()
	off, err := distances(again, samples, process.EventShape())
	if err == nil && floats.Max(off) > 0 {
		err = errors.New("the same noise gives other samples each time: the solver is stochastic, and its error can't be told from its noise")
	}
	return err
}

// order fits log(errors) = log C + log(n^-p - finest^-p) by regression, with the p of the
// round before in the small term.
func order(steps []int, errs []float64, finest int) (p float64) {
	x, y := make([]float64, len(steps)), make([]float64, len(steps))
	for round := range 30 {
		for i, n := range steps {
			x[i], y[i] = math.Log(float64(n)), math.Log(errs[i])
			if round > 0 {
				y[i] -= math.Log1p(-math.Pow(float64(n)/float64(finest), max(p, 0.1)))
			}
		}
		_, slope := stat.LinearRegression(x, y, nil, false)
		p = -slope
	}
	return p
}

package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/binary"
	"time"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// solving is a task that solves: check once, with given numbers, and then calls that are
// timed.
func solving(check, call func(ctx context.Context) (*tensors.Tensor, error)) (*work, error) {
	ctx := context.Background()
	once := func(f func(ctx context.Context) (*tensors.Tensor, error)) (*tensors.Tensor, time.Duration, error) {
		start := time.Now()
		out, err := f(ctx)
		return out, time.Since(start), err
	}
	checked, _, err := once(check)
	if err != nil {
		return nil, err
	}
	w := &work{}
	if w.check, err = summary(checked); err != nil {
		return nil, err
	}
	_, first, err := once(call)
	if err != nil {
		return nil, err
	}
	_, second, err := once(call)
	if err != nil {
		return nil, err
	}
	w.compile = max(0, first-second)
	w.run = func(ctx context.Context, iterations int) error {
		for range iterations {
			out, err := call(ctx)
			if err != nil {
				return err
			}
			if err := out.FinalizeAll(); err != nil {
				return err
			}
		}
		return nil
	}
	return w, nil
}

// sampling times samples of a process, and checks those of given noise.
func sampling(process *nami.Process, noise *tensors.Tensor, shape ...int) (*work, error) {
	return solving(
		func(ctx context.Context) (*tensors.Tensor, error) { return process.SampleFrom(ctx, noise) },
		func(ctx context.Context) (*tensors.Tensor, error) { return process.Sample(ctx, shape...) },
	)
}

// likelihood times log-densities of given points.
func likelihood(process *nami.Process, x *tensors.Tensor, estimator divergence.Estimator) (*work, error) {
	call := func(ctx context.Context) (*tensors.Tensor, error) { return process.LogProb(ctx, x, estimator) }
	return solving(call, call)
}

//go:embed net_a_trained.f32
var trained []byte

// trainedA is net A with the weights of a flow to two moons.
func trainedA() (*model.Store, error) {
	store := model.NewStore()
	sizes, from := []int{3, 128, 128, 128, 2}, bytes.NewReader(trained)
	for l := range len(sizes) - 1 {
		scope := store.RootScope().At("mlp").At("layer_%d", l).At("dense")
		for name, dims := range map[string][]int{"weights": sizes[l : l+2], "biases": sizes[l+1 : l+2]} {
			size := 1
			for _, d := range dims {
				size *= d
			}
			offset := 0
			if name == "biases" {
				offset = 4 * sizes[l] * sizes[l+1]
			}
			values := make([]float32, size)
			section := trained[len(trained)-from.Len()+offset:]
			if err := binary.Read(bytes.NewReader(section), binary.LittleEndian, values); err != nil {
				return nil, err
			}
			if _, err := scope.CreateVariable(name, tensors.FromFlatDataAndDimensions(values, dims...)); err != nil {
				return nil, err
			}
		}
		if _, err := from.Seek(int64(4*(sizes[l]+1)*sizes[l+1]), 1); err != nil {
			return nil, err
		}
	}
	return store, nil
}

// sampleDopri5 is task D: 10,000 samples with one adaptive step size for all.
func sampleDopri5(backend compute.Backend) (*work, error) {
	store, err := trainedA()
	if err != nil {
		return nil, err
	}
	flow := flowA()
	method := solver.Dopri5(1e-5, 1e-5)
	method.Shared, method.Control = true, solver.Integral()
	flow.Solver = method
	process, err := flow.Bind(backend, store, nil)
	if err != nil {
		return nil, err
	}
	return sampling(process, normalTensor(2001, 10_000, 2), 10_000)
}

// logProbExact is task E: log-densities of 1,000 points with the exact divergence.
func logProbExact(backend compute.Backend) (*work, error) {
	process, err := processA(backend)
	if err != nil {
		return nil, err
	}
	return likelihood(process, normalTensor(2001, 1000, 2), divergence.Exact{})
}

// logProbHutchinson is task F: log-densities of 500 points of 16 values, estimated.
func logProbHutchinson(backend compute.Backend) (*work, error) {
	store, err := netBStore(0)
	if err != nil {
		return nil, err
	}
	flow := nami.FlowMatching{Field: netB{}, Base: distribution.NewStandardNormal(16), Solver: solver.RK4(50)}
	process, err := flow.Bind(backend, store, nil)
	if err != nil {
		return nil, err
	}
	return likelihood(process, normalTensor(2001, 500, 16), divergence.Hutchinson{})
}

// diffusionHeun is task G: 10,000 samples by the probability flow of a VP schedule.
func diffusionHeun(backend compute.Backend) (*work, error) {
	store, err := netAStore()
	if err != nil {
		return nil, err
	}
	steps := solver.Heun(50)
	steps.InTime = true // as the task says, and its peers do
	m := nami.Diffusion{Field: netA, Schedule: schedule.VP{}, Solver: steps, EventShape: []int{2}}
	process, err := m.Bind(backend, store, nil, nami.Times(1, 1e-3))
	if err != nil {
		return nil, err
	}
	// The start is σ(1)·N(0, I).
	start := normalTensor(2001, 10_000, 2)
	const sigma = 0.9999783891 // √(1 - exp(-10.05))
	err = start.MutableFlatData(func(flat any) {
		for i := range flat.([]float32) {
			flat.([]float32)[i] *= sigma
		}
	})
	if err != nil {
		return nil, err
	}
	return sampling(process, start, 10_000)
}

// sampleConditional is task H: 10 samples for each of 1,000 contexts.
func sampleConditional(backend compute.Backend) (*work, error) {
	store, err := netBStore(8)
	if err != nil {
		return nil, err
	}
	flow := nami.FlowMatching{Field: netB{}, Base: distribution.NewStandardNormal(16), Solver: solver.RK4(2)}
	contexts := normalTensor(1002, 1000, 8)
	short, err := flow.Bind(backend, store, contexts)
	if err != nil {
		return nil, err
	}
	w, err := sampling(short, normalTensor(2001, 10, 1000, 16), 10)
	if err != nil {
		return nil, err
	}
	flow.Solver = solver.RK4(50)
	process, err := flow.Bind(backend, store, contexts, nami.DType(dtypes.Float32))
	if err != nil {
		return nil, err
	}
	w.run = func(ctx context.Context, iterations int) error {
		for range iterations {
			samples, err := process.Sample(ctx, 10)
			if err != nil {
				return err
			}
			if err := samples.FinalizeAll(); err != nil {
				return err
			}
		}
		return nil
	}
	return w, nil
}

package main

import (
	"context"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"
)

// netA is the small network of the tasks: 33,794 parameters.
var netA = field.MLP{EventShape: []int{2}, Hidden: []int{128, 128, 128}}

func netAStore() (*model.Store, error) {
	store := model.NewStore()
	sizes := []int{3, 128, 128, 128, 2}
	for l := range len(sizes) - 1 {
		if err := setLayer(mlpLayer(store, l), l, sizes[l], sizes[l+1]); err != nil {
			return nil, err
		}
	}
	return store, nil
}

func flowA() nami.FlowMatching {
	return nami.FlowMatching{Field: netA, Base: distribution.NewStandardNormal(2), Solver: solver.RK4(100)}
}

// processA is the flow with net A's weights.
func processA(backend compute.Backend) (*nami.Process, error) {
	store, err := netAStore()
	if err != nil {
		return nil, err
	}
	return flowA().Bind(backend, store, nil)
}

// sampleRK4 is task C: 10,000 samples with 100 steps of RK4.
func sampleRK4(backend compute.Backend) (*work, error) {
	process, err := processA(backend)
	if err != nil {
		return nil, err
	}
	return sampling(process, normalTensor(2001, 10_000, 2), 10_000)
}

// coldStart is task I: 100 samples from the start of the process.
func coldStart(backend compute.Backend, r *result) error {
	process, err := processA(backend)
	if err != nil {
		return err
	}
	if _, err := process.Sample(context.Background(), 100); err != nil {
		return err
	}
	r.SecondsPerIter, err = sinceProcessStart()
	return err
}

package diagnostic

import (
	"context"
	"errors"
	"fmt"

	"github.com/nami-flow/go-nami/nami"

	"github.com/gomlx/gomlx/core/tensors"
)

// Reversibility carries data to noise and back, and measures for each event the distance
// from where it began: how far the solver is from the flow, which can be inverted. It is
// small, too, where both ways make the same error, so a small distance is necessary for an
// accurate solve, but not sufficient; see [Convergence]. x is what [nami.Process.Encode]
// takes; a process without a deterministic flow is an error.
func Reversibility(ctx context.Context, process *nami.Process, x *tensors.Tensor) (Stats, error) {
	if process == nil {
		return Stats{}, errors.New("diagnostic.Reversibility: the process is nil: bind a model")
	}
	noise, err := process.Encode(ctx, x)
	if err != nil {
		return Stats{}, fmt.Errorf("diagnostic.Reversibility: from data to noise: %w", err)
	}
	defer noise.MustFinalizeAll()
	back, err := process.SampleFrom(ctx, noise)
	if err != nil {
		return Stats{}, fmt.Errorf("diagnostic.Reversibility: from noise to data: %w", err)
	}
	defer back.MustFinalizeAll()
	values, err := distances(back, x, process.EventShape())
	if err != nil {
		return Stats{}, fmt.Errorf("diagnostic.Reversibility: %w", err)
	}
	return statsOf("the reversibility error", values)
}

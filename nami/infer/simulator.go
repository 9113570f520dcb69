package infer

import (
	"context"
	"math/rand/v2"
)

// Simulator makes an observation for each of the parameters, all observations of one length. Each
// call has a random generator of its own, and several calls run at once. Where a simulation fails,
// its observation has a NaN or an infinite value in it, or is nil; an error ends all simulating.
// It should return soon after ctx is done.
type Simulator func(ctx context.Context, theta [][]float64, random *rand.Rand) ([][]float64, error)

// Each is the simulator of a function that makes one observation at a time.
func Each(f func(theta []float64, random *rand.Rand) []float64) Simulator {
	return func(ctx context.Context, theta [][]float64, random *rand.Rand) ([][]float64, error) {
		x := make([][]float64, len(theta))
		for i, t := range theta {
			if err := context.Cause(ctx); err != nil {
				return nil, err
			}
			x[i] = f(t, random)
		}
		return x, nil
	}
}

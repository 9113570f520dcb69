package diagnostic

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/gomlx/core/tensors"
)

// Straightness measures for each event how far its trajectory is from a straight line that
// is passed at constant speed, S = ∫ |v(t) - (x_end - x_start)/T|² dt over the time T that
// it takes: 0 for such a line, of which one Euler step is the exact solution. Its mean over
// events is the straightness of Liu et al. 2022 (arXiv:2209.03003, section 3); it has the
// unit of x²/t.
//
// A trajectory holds positions at the given times, (len(times))+lead+event with events of
// the given rank, as [nami.Process.Trajectory] returns them; times rise or fall. The velocity
// is taken to be constant between two times, so S comes out a little small where there are
// few.
func Straightness(trajectory *tensors.Tensor, times []float64, eventRank int) (Stats, error) {
	x, err := gomlx.Floats("the trajectory", trajectory)
	if err != nil {
		return Stats{}, fmt.Errorf("diagnostic.Straightness: %w", err)
	}
	lead, event, err := shape.Split(trajectory.Shape().Dimensions, eventRank)
	if err != nil {
		return Stats{}, fmt.Errorf("diagnostic.Straightness: %w", err)
	}
	if len(times) < 3 || len(lead) == 0 || lead[0] != len(times) {
		return Stats{}, fmt.Errorf("diagnostic.Straightness: the trajectory is %s with events of shape %s, and there are %d times: its first axis must have a position for each of at least 3 times",
			trajectory.Shape(), shape.Format(event), len(times))
	}
	if len(x) == 0 {
		return Stats{}, fmt.Errorf("diagnostic.Straightness: the trajectory is %s: there are no events", trajectory.Shape())
	}
	last := len(times) - 1
	total := times[last] - times[0]
	for i := range last {
		if !((times[i+1]-times[i])*total > 0) {
			return Stats{}, fmt.Errorf("diagnostic.Straightness: times[%d] is %v and times[%d] is %v: times must rise throughout, or fall", i, times[i], i+1, times[i+1])
		}
	}
	size := shape.Size(event)
	stride := len(x) / len(times)
	values := make([]float64, stride/size)
	for k := range stride {
		mean := (x[last*stride+k] - x[k]) / total
		for i := range last {
			dt := times[i+1] - times[i]
			off := (x[(i+1)*stride+k]-x[i*stride+k])/dt - mean
			values[k/size] += off * off * max(dt, -dt)
		}
	}
	return statsOf("the straightness", values)
}

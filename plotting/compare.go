package plotting

import (
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/nami-flow/go-nami/nami/metric"
)

// Compare returns a table of how far samples are from a reference, by [metric.Compare]:
// sliced Wasserstein distance, energy distance and maximum mean discrepancy, the largest
// shift of a coordinate's mean in units of the reference's standard deviation, and the ratio
// of standard deviations furthest from 1. The first row compares two halves of the
// reference: no model can be expected to do better. The table says how many events were
// compared. An error of metric.Compare is the table's.
func Compare(reference Sample, others []Sample, seed int64) Table {
	t := Table{
		Title:  "Distance to " + or(reference.Name, "the reference"),
		Header: []string{"sample", "sliced W₂", "energy", "MMD", "shift of mean (σ)", "ratio of σ", "left out"},
	}
	var points []*tensors.Tensor
	weights := []*tensors.Tensor{reference.Weights}
	for _, other := range others {
		points, weights = append(points, other.Points), append(weights, other.Weights)
	}
	c, err := metric.Compare(reference.Points, points, seed, metric.Weights(weights...))
	if err != nil {
		t.err = fmt.Errorf("plotting.Compare: %w", err)
		return t
	}
	row := func(name string, c metric.Comparison) {
		t.Rows = append(t.Rows, []string{
			name, fmt.Sprintf("%.3g", c.SlicedWasserstein), fmt.Sprintf("%.3g", c.Energy), fmt.Sprintf("%.3g", c.MMD),
			minus(fmt.Sprintf("%+.3f", c.Shift)), fmt.Sprintf("%.3f", c.Ratio), fmt.Sprint(c.Dropped),
		})
	}
	row("another half of it", c.Floor)
	for i, sample := range c.Samples {
		row(or(others[i].Name, fmt.Sprintf("sample %d", i+1)), sample)
	}
	t.Title += fmt.Sprintf(", by %d events", c.Events)
	return t
}

package metric_test

import (
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/metric"
	"github.com/nami-flow/go-nami/tests/property"

	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"
)

// Whatever two samples are given, a distance is a number or there is an error.
func TestAnySamples(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		x, y := gomlxtest.Misfit(t, "x", 4, 2), gomlxtest.Misfit(t, "y", 3, 2)
		bandwidth := property.Mostly(t, "bandwidth", rapid.Float64Range(0.01, 100).Draw(t, "usual"), -1, math.NaN(), math.Inf(1))
		projections := property.Mostly(t, "projections", rapid.IntRange(1, 4).Draw(t, "usual"), 0, -1)
		for name, distance := range map[string]func() (float64, error){
			"EnergyDistance":    func() (float64, error) { return metric.EnergyDistance(x, y) },
			"MMD":               func() (float64, error) { return metric.MMD(x, y, bandwidth) },
			"MMD, median":       func() (float64, error) { return metric.MMD(x, y, 0) },
			"SlicedWasserstein": func() (float64, error) { return metric.SlicedWasserstein(x, y, projections, 1) },
		} {
			gomlxtest.Bears(t, name, func() ([]*tensors.Tensor, error) {
				d, err := distance()
				return []*tensors.Tensor{tensors.FromScalar(d)}, err
			})
		}
		for name, nearest := range map[string]func() (metric.Neighbours, error){
			"Nearest":      func() (metric.Neighbours, error) { return metric.Nearest(x, y) },
			"NearestOther": func() (metric.Neighbours, error) { return metric.NearestOther(x) },
		} {
			gomlxtest.Bears(t, name, func() ([]*tensors.Tensor, error) {
				n, err := nearest()
				if err != nil {
					return nil, err
				}
				if rows := x.Shape().Dim(0); len(n.Index) != rows || len(n.Distance) != rows {
					t.Errorf("%s: %d neighbours of %s", name, len(n.Index), x.Shape())
				}
				return []*tensors.Tensor{tensors.FromFlatDataAndDimensions(n.Distance, len(n.Distance))}, nil
			})
		}
	})
}

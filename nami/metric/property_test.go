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

// Whatever two samples, or posteriors, are given, a test has a P from 0 to 1 or there is an error.
func TestAnyTest(t *testing.T) {
	ctx := t.Context()
	property.Check(t, func(t *rapid.T) {
		x, y := gomlxtest.Misfit(t, "x", 24, 2), gomlxtest.Misfit(t, "y", 21, 2)
		draws := gomlxtest.Misfit(t, "draws", 24, 5, 2)
		truthLogs, drawLogs := gomlxtest.Misfit(t, "log-densities of truths", 24), gomlxtest.Misfit(t, "log-densities of draws", 24, 5)
		tests := metric.Tests{Permutations: property.Mostly(t, "permutations", rapid.IntRange(1, 3).Draw(t, "usual"), -1)}
		one := func(test metric.Test, err error) ([]metric.Test, error) { return []metric.Test{test}, err }
		calibrated := func(c metric.Calibration, err error) ([]metric.Test, error) {
			return []metric.Test{c.Test, c.Bias, c.Spread}, err
		}
		for name, call := range map[string]func() ([]metric.Test, error){
			"EnergyDistance":    func() ([]metric.Test, error) { return one(tests.EnergyDistance(ctx, x, y)) },
			"MMD":               func() ([]metric.Test, error) { return one(tests.MMD(ctx, x, y, 0)) },
			"SlicedWasserstein": func() ([]metric.Test, error) { return one(tests.SlicedWasserstein(ctx, x, y, 2)) },
			"Wasserstein":       func() ([]metric.Test, error) { return one(tests.Wasserstein(ctx, x, y, 1)) },
			"FrechetDistance":   func() ([]metric.Test, error) { return one(tests.FrechetDistance(ctx, x, y)) },
			"FastC2ST":          func() ([]metric.Test, error) { return one(metric.FastC2ST(ctx, x, y, 1)) },
			"Support": func() ([]metric.Test, error) {
				s, err := tests.Support(ctx, x, y, 0)
				return []metric.Test{s.Precision, s.Recall, s.Density, s.Coverage}, err
			},
			"Copies": func() ([]metric.Test, error) {
				c, err := metric.Copies(x, y, y)
				return []metric.Test{c.Nearer, c.Closest}, err
			},
			"Compare": func() ([]metric.Test, error) {
				c, err := metric.Comparer{Tests: tests}.Compare(ctx, x, y)
				for _, d := range c.Differences {
					c.Tests = append(c.Tests, d.Test)
				}
				return c.Tests, err
			},
			"KolmogorovSmirnov": func() ([]metric.Test, error) { return metric.KolmogorovSmirnov(x, y) },
			"Misspecification":  func() ([]metric.Test, error) { return metric.Misspecification(x, y, 1) },
			"SimulationBased": func() (all []metric.Test, err error) {
				c, err := metric.SimulationBased(x, draws, 1)
				for _, one := range c {
					all = append(all, one.Test, one.Bias, one.Spread)
				}
				return all, err
			},
			"TARP":             func() ([]metric.Test, error) { return calibrated(metric.TARP(x, draws, 1)) },
			"ExpectedCoverage": func() ([]metric.Test, error) { return calibrated(metric.ExpectedCoverage(truthLogs, drawLogs, 1)) },
			"LocalC2ST": func() ([]metric.Test, error) {
				l, err := metric.TrainLocalC2ST(ctx, x, x, x, 1)
				if err != nil {
					return nil, err
				}
				return one(l.Test(tensors.FromValue([]float64{1, 2}), y))
			},
		} {
			gomlxtest.Bears(t, name, func() ([]*tensors.Tensor, error) {
				all, err := call()
				if err != nil {
					return nil, err
				}
				var numbers []*tensors.Tensor
				for _, test := range all {
					if !(test.P >= 0 && test.P <= 1) || test.Name == "" || test.Means == "" || test.Low > test.High {
						t.Errorf("%s: %+v", name, test)
					}
					numbers = append(numbers, tensors.FromScalar(test.Value))
				}
				return numbers, nil
			})
		}
	})
}

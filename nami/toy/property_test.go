package toy_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/toy"
	"github.com/nami-flow/go-nami/tests/property"

	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"
)

// Whatever points and parameters are given, what comes back has the shape that it should
// and no NaN, or there is an error.
func TestAnyPoints(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		n := property.Mostly(t, "n", rapid.IntRange(1, 5).Draw(t, "usual"), 0, -1)
		size := func(name string, most float64) float64 {
			usual := rapid.OneOf(rapid.Just(0.0), rapid.Float64Range(0.1, most)).Draw(t, name)
			return property.Mostly(t, name, usual, -1, 1e200, math.NaN())
		}
		v := func(name string) float64 { return size(name, 2) }
		share := func() float64 { return size("share", 1) }
		number := func(name string, most int) int {
			return property.Mostly(t, name, rapid.IntRange(0, most).Draw(t, name), -1)
		}
		numbers := func(name string, low, high float64, usual int, odd ...int) []float64 {
			n := property.Mostly(t, name, usual, odd...)
			return rapid.SliceOfN(rapid.Float64Range(low, high), n, n).Draw(t, name)
		}
		gauss := func(name string) toy.Gaussian {
			return toy.Gaussian{Mean: numbers(name, -2, 2, 2, 0, 1, 3), Covariance: [][]float64{{1, property.Mostly(t, "covariance", 0.5, 0.4, 2)}, {0.5, 1}}}
		}
		sets := []toy.Set{
			toy.TwoMoons{Noise: v("noise")},
			toy.TwoSpirals{Noise: v("noise"), Turns: v("turns")},
			toy.Checkerboard{Cells: number("cells", 5), Bound: v("bound")},
			toy.Ring{Modes: number("modes", 5), Radius: v("radius"), Std: v("std")},
			toy.Shell{Radius: v("radius"), Width: v("width"), Background: v("background"), Share: share()},
			toy.SignalAndBackground(share()),
			toy.GaussianMixture{Components: []toy.Gaussian{gauss("first"), gauss("second")}, Weights: numbers("weights", 0.1, 2, 2, 1, 3)},
		}
		ratios := toy.ParametricMixture{Share: share(), Axis: number("axis", 1), Signal: gauss("signal"), Background: gauss("background")}
		if rapid.Bool().Draw(t, "usual") {
			ratios.Signal, ratios.Background = toy.Gaussian{}, toy.Gaussian{}
		}
		if mixture, err := ratios.At(v("theta")); err != nil {
			gomlxtest.Teaches(t, "At", err)
		} else {
			sets = append(sets, mixture)
		}
		x := gomlxtest.Misfit(t, "x", 4, 2)
		var lead []int
		if x != nil && x.Rank() > 0 {
			lead = x.Shape().Dimensions[:x.Rank()-1]
		}
		one := func(what string, f func() (*tensors.Tensor, error), want []int) {
			gomlxtest.Bears(t, what, func() ([]*tensors.Tensor, error) {
				x, err := f()
				return []*tensors.Tensor{x}, err
			}, want)
		}
		for _, set := range sets {
			what, dim := fmt.Sprintf("%T", set), 2
			if m, ok := set.(toy.GaussianMixture); ok {
				dim = len(m.Components[0].Mean)
			}
			one(what, func() (*tensors.Tensor, error) { return set.Sample(1, n) }, []int{n, dim})
			if d, ok := set.(toy.Density); ok {
				one(what+".LogProb", func() (*tensors.Tensor, error) { return d.LogProb(x) }, lead)
			}
			if l, ok := set.(toy.Labelled); ok {
				one(what+", labelled", func() (*tensors.Tensor, error) {
					x, labels, err := l.SampleLabelled(1, n)
					if err == nil && len(labels) != n {
						t.Errorf("%s: %d labels of %d points", what, len(labels), n)
					}
					return x, err
				}, []int{n, dim})
			}
		}
		one("LogLikelihoodRatio", func() (*tensors.Tensor, error) { return ratios.LogLikelihoodRatio(x, v("theta")) }, lead)

		if _, err := toy.Poisson(1, v("mean")); err != nil {
			gomlxtest.Teaches(t, "Poisson", err)
		}
	})
}

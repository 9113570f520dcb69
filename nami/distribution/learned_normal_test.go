package distribution_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// It starts at N(0, I), and maximum likelihood's gradient with respect to mean and
// log-scale is that of the normal distribution.
func TestLearnedNormalStartsStandard(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, contextDim := range []int{0, 3} {
			store := model.NewStore()
			x := [][]float32{{1, -2}, {0.5, 3}, {2, 2}}
			c := [][]float32{{1, 0, 2}, {0, 1, 0}, {1, 1, 1}}
			out, err := model.CallOnceN(backend, store, func(scope *model.Scope, in []*Node) []*Node {
				d := distribution.LearnedNormal{Event: []int{2}, ContextDim: contextDim}.Given(scope, in[1])
				logProb := d.LogProb(in[0])
				standard := distribution.NewStandardNormal(2).LogProb(in[0])
				loss := ReduceAllSum(logProb)
				gradients := Gradient(loss, scope.Store().GetVariable("/learned_normal/loc/biases").NodeValue(loss.Graph()),
					scope.Store().GetVariable("/learned_normal/log_scale/biases").NodeValue(loss.Graph()))
				return append(gradients, ReduceAllMax(Abs(Sub(logProb, standard))))
			}, x, c)
			if err != nil {
				t.Fatal(err)
			}
			if d := tensors.ToScalar[float32](out[2]); d > 1e-6 {
				t.Errorf("context %d: the log-density differs by %v from the standard normal's", contextDim, d)
			}
			loc, logScale := tensors.MustCopyFlatData[float32](out[0]), tensors.MustCopyFlatData[float32](out[1])
			for j := range 2 {
				var sum, squares float64
				for i := range x {
					sum += float64(x[i][j])
					squares += float64(x[i][j]*x[i][j]) - 1
				}
				if math.Abs(float64(loc[j])-sum) > 1e-5 || math.Abs(float64(logScale[j])-squares) > 1e-5 {
					t.Errorf("context %d: the gradients are %v and %v, expected %v and %v", contextDim, loc[j], logScale[j], sum, squares)
				}
			}
			for v := range store.IterVariables() {
				if strings.HasPrefix(v.Path(), "/learned_normal") && !v.Trainable {
					t.Errorf("%s is not trainable", v.Path())
				}
			}
		}
	})
}

// With a context, each row has its own mean and scale, affine and the exponential of an
// affine function; weights in float64 serve draws in float64.
func TestLearnedNormalFollowsItsContext(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		store := model.NewStore()
		for path, value := range map[string]*tensors.Tensor{
			"/learned_normal/loc/weights":       tensors.FromValue([][]float64{{1, 2}}),
			"/learned_normal/loc/biases":        tensors.FromValue([]float64{0.5, -1}),
			"/learned_normal/log_scale/weights": tensors.FromValue([][]float64{{-1, 0.3}}),
			"/learned_normal/log_scale/biases":  tensors.FromValue([]float64{0, 0.1}),
		} {
			if _, err := store.CreateVariable(path, value); err != nil {
				t.Fatal(err)
			}
		}
		c := []float64{-1, 0, 2}
		out, err := model.CallOnceN(backend, store, func(scope *model.Scope, in []*Node) []*Node {
			d := distribution.LearnedNormal{Event: []int{2}, ContextDim: 1}.Given(scope, InsertAxes(in[0], -1)).(distribution.DiagonalNormal)
			g := in[0].Graph()
			random := gomlx.NewCounter(in[1], Const(g, uint32(0)))
			return []*Node{d.Mean(g, dtypes.Float64), d.Variance(g, dtypes.Float64), d.Sample(random, g, dtypes.Float64, 3)}
		}, c, gomlx.Key(1, 0))
		if err != nil {
			t.Fatal(err)
		}
		mean, variance := tensors.MustCopyFlatData[float64](out[0]), tensors.MustCopyFlatData[float64](out[1])
		for i, c := range c {
			for j, want := range [][2]float64{{0.5 + c, math.Exp(-2 * c)}, {2*c - 1, math.Exp(2 * (0.3*c + 0.1))}} {
				if k := 2*i + j; math.Abs(mean[k]-want[0]) > 1e-12 || math.Abs(variance[k]-want[1]) > 1e-10*want[1] {
					t.Errorf("context %v: value %d has mean %v and variance %v, expected %v", c, j, mean[k], variance[k], want)
				}
			}
		}
	})
}

func TestLearnedNormalRefuses(t *testing.T) {
	backend := gomlxtest.Go(t)
	for want, l := range map[string]distribution.LearnedNormal{
		"the base expects one of 2 values":                    {Event: []int{2}, ContextDim: 2},
		"event has shape (2, 0): every axis needs at least 1": {Event: []int{2, 0}},
		"ContextDim is -1":                                    {ContextDim: -1},
	} {
		_, err := model.CallOnce(backend, model.NewStore(), func(scope *model.Scope, x *Node) *Node {
			return l.Given(scope, nil).LogProb(x)
		}, [][]float32{{1, 2}})
		gomlxtest.Says(t, want, err, want)
	}
	_, err := model.CallOnce(backend, model.NewStore(), func(scope *model.Scope, c *Node) *Node {
		return distribution.LearnedNormal{Event: []int{2}, ContextDim: 2}.Given(scope, c).LogProb(c)
	}, [][]float32{{1, 2, 3}})
	want := "the context is (Float32)[1, 3], and the base expects 2 values"
	gomlxtest.Says(t, want, err, want)
	if a, b := fmt.Sprint(distribution.LearnedNormal{Event: []int{2}}), fmt.Sprint(distribution.LearnedNormal{Event: []int{2}, ContextDim: 1}); a == b {
		t.Errorf("both are %s", a)
	}
}

//go:build slow

package tests

import (
	"math"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Two classes of numbers are N(±1.5, 0.6²), with contexts ±1.
const (
	classMean   = 1.5
	classSpread = 0.6
)

func classes(n int) data.Events {
	x, c := make([]float32, n), make([]float32, n)
	for i := range x {
		c[i] = float32(1 - 2*(i%2))
		// Evenly spread over the law: its quantiles.
		x[i] = c[i]*classMean + classSpread*float32(math.Sqrt2*math.Erfinv(2*(float64(i/2)+0.5)/float64(n/2)-1))
	}
	return data.Events{X: tensors.FromFlatDataAndDimensions(x, n, 1), Context: tensors.FromFlatDataAndDimensions(c, n, 1)}
}

// classVelocity is the velocity of the straight path at x and t, of the class with that sign or, if
// it is 0, of both.
func classVelocity(x, t, sign float64) float64 {
	a := 1 - t
	variance := a*a*classSpread*classSpread + t*t
	if sign == 0 {
		sign = math.Tanh(a * classMean * x / variance) // the mean, given x
	}
	away := (x - a*sign*classMean) / variance
	return t*away - sign*classMean - a*classSpread*classSpread*away
}

// Training with dropped contexts teaches one network the velocity of each class and that of both:
// guided, it is what the closed form says. It binds to the weights of the network that it wraps,
// which one that was trained without dropout doesn't have.
func TestTrainGuided(t *testing.T) {
	network := field.MLP{EventShape: []int{1}, Hidden: []int{32, 32}, ContextDim: 1}
	fm := loss.FM{Field: network}
	bind := func(backend compute.Backend, store *model.Store, f field.Field, context *tensors.Tensor) error {
		flow := nami.FlowMatching{Field: f, Base: distribution.NewStandardNormal(1), Solver: solver.Heun(2)}
		_, err := flow.Bind(backend, store, context)
		return err
	}
	context := tensors.FromValue([]float32{1})
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		store, plain := model.NewStore(), model.NewStore()
		fit := func(store *model.Store, l loss.Loss, steps int) {
			if _, err := train.Fit(t.Context(), backend, store, l, classes(4096), train.Steps(steps), train.BatchSize(256),
				train.Seed(3)); err != nil {
				t.Fatal(err)
			}
		}
		fit(store, loss.ContextDropout{Of: fm, Rate: 0.5}, 2000)
		fit(plain, fm, 2)

		guided := field.Guided{Field: network, Scale: 2}
		unconditional := field.Unconditional{Field: network, ContextShape: []int{1}}
		if err := bind(backend, store, guided, context); err != nil {
			t.Error(err)
		}
		if err := bind(backend, store, unconditional, nil); err != nil {
			t.Error(err)
		}
		const lacks = "the store lacks 1 of the field's variables (/null_context)"
		if err := bind(backend, plain, guided, context); err == nil || !strings.Contains(err.Error(), lacks) {
			t.Errorf("trained without dropout: the error is %v, expected one that says %q", err, lacks)
		}
		if err := bind(backend, plain, field.Guided{Field: network, Scale: 2, Negative: []float64{-1}}, context); err != nil {
			t.Error(err)
		}
		other := network
		other.Hidden = []int{32}
		if err := bind(backend, store, field.Guided{Field: other, Scale: 2}, context); err == nil {
			t.Error("a guided field binds to the weights of another network")
		}

		// Where the events of each class are, at some times: up to a deviation from their mean.
		var x, at, c []float32
		for _, time := range []float64{0.25, 0.5, 0.75} {
			for k := range 10 {
				sign, away := float64(1-2*(k%2)), float64(k/2-2)/2
				x = append(x, float32((1-time)*sign*classMean+away*math.Hypot((1-time)*classSpread, time)))
				at, c = append(at, float32(time)), append(c, float32(sign))
			}
		}
		rows := func(v []float32) *tensors.Tensor { return tensors.FromFlatDataAndDimensions(v, len(v), 1) }
		out, err := model.CallOnceN(backend, store, func(scope *model.Scope, x, t, c *Node) []*Node {
			return []*Node{field.Call(guided, scope, x, t, c), field.Call(unconditional, scope, x, t, nil)}
		}, rows(x), at, rows(c))
		if err != nil {
			t.Fatal(err)
		}
		for k, what := range []string{"guided", "unconditional"} {
			square, size := 0.0, 0.0
			for i, v := range tensors.MustCopyFlatData[float32](out[k]) {
				both := classVelocity(float64(x[i]), float64(at[i]), 0)
				want := both
				if k == 0 {
					want += 2 * (classVelocity(float64(x[i]), float64(at[i]), float64(c[i])) - both)
				}
				square += (float64(v) - want) * (float64(v) - want)
				size += want * want
			}
			t.Logf("%s: the error is %.3f of the velocity", what, math.Sqrt(square/size))
			if !(math.Sqrt(square/size) < 0.15) {
				t.Errorf("%s: the root mean square error is %.3f of that of the velocity: expected less than 0.15", what, math.Sqrt(square/size))
			}
		}
	})
}

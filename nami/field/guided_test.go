package field_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Two classes of points in the plane, equally likely, are N(±mean, spread²); with noise of
// deviation t, as at time t of a process that keeps the signal, N(±mean, spread²+t²).
var mean = [2]float64{1.5, -0.5}

const spread = 0.8

// classScore is the score of the noisy points, given a context: of class 1 for (1, 0), of class 2
// for (0, 1), and of both for (0, 0), at which a null context starts.
var classScore = field.Func{Rank: 1, F: func(_ *model.Scope, x, t, c *Node) *Node {
	m := ExpandLeftToRank(ConstAsDType(x.Graph(), x.DType(), mean[:]), x.Rank())
	variance := shape.Lift(AddScalar(Square(t), spread*spread), x)
	column := func(i int) *Node { return SliceAxis(c, -1, AxisElem(i)) }
	known := Add(column(0), column(1))
	// p(1|x) - p(2|x), of a point whose class isn't known.
	side := Tanh(Div(ReduceAndKeep(Mul(m, x), ReduceSum, -1), variance))
	sign := Add(Sub(column(0), column(1)), Mul(OneMinus(known), side))
	return Div(Sub(Mul(sign, m), x), variance)
}}

// guidedLogDensity is log p(x) + scale·log p(class|x), up to a constant, of the noisy points.
func guidedLogDensity(x []float64, t, scale float64, class int) float64 {
	variance := spread*spread + t*t
	of := func(sign float64) float64 {
		return math.Exp(-(math.Pow(x[0]-sign*mean[0], 2) + math.Pow(x[1]-sign*mean[1], 2)) / (2 * variance))
	}
	p := []float64{of(1), of(-1)}
	return math.Log(p[0]+p[1]) + scale*math.Log(p[class]/(p[0]+p[1]))
}

// applied is the field's value at events, times and contexts, with weights as they start.
func applied(t *testing.T, backend compute.Backend, f field.Field, x [][]float64, at []float64, c [][]float64) []float64 {
	t.Helper()
	args := []any{x, at}
	if c != nil {
		args = append(args, c)
	}
	out, err := model.CallOnce(backend, model.NewStore(), func(scope *model.Scope, in []*Node) *Node {
		var c *Node
		if len(in) > 2 {
			c = in[2]
		}
		return field.Call(f, scope, in[0], in[1], c)
	}, args...)
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float64](out)
}

var (
	guidedEvents   = [][]float64{{0.3, 0.1}, {-2, 1}, {1, 2}, {0.2, -0.4}}
	guidedTimes    = []float64{0, 0.3, 0.6, 1}
	guidedContexts = [][]float64{{1, 0}, {0, 1}, {1, 0}, {0, 1}}
)

// Of a score, guidance makes that of p(x)·p(c|x)^scale, the derivative of its logarithm; and at a
// scale of 1, the field itself.
func TestGuidedScore(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, scale := range []float64{0.5, 1, 3} {
			got := applied(t, backend, field.Guided{Field: classScore, Scale: scale}, guidedEvents, guidedTimes, guidedContexts)
			var want []float64
			for i, x := range guidedEvents {
				class := int(guidedContexts[i][1])
				for axis := range x {
					const h = 1e-5
					up, down := []float64{x[0], x[1]}, []float64{x[0], x[1]}
					up[axis] += h
					down[axis] -= h
					want = append(want, (guidedLogDensity(up, guidedTimes[i], scale, class)-guidedLogDensity(down, guidedTimes[i], scale, class))/(2*h))
				}
			}
			gomlxtest.Near(t, fmt.Sprintf("scale %v", scale), got, want, 1e-8)
		}
	})
}

// Each way of guidance is what its formula says, of values of the field itself.
func TestGuidedWays(t *testing.T) {
	weak := field.Func{Rank: 1, F: func(_ *model.Scope, x, _, c *Node) *Node { return Add(MulScalar(x, 0.3), c) }}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		value := func(f field.Field, c [][]float64) []float64 {
			return applied(t, backend, f, guidedEvents, guidedTimes, c)
		}
		negative := [][]float64{{0.2, 0.5}, {0.2, 0.5}, {0.2, 0.5}, {0.2, 0.5}}
		none := [][]float64{{0, 0}, {0, 0}, {0, 0}, {0, 0}}
		with := value(classScore, guidedContexts)
		led := func(away []float64, scale func(at float64) float64) []float64 {
			out := make([]float64, len(with))
			for i := range out {
				out[i] = away[i] + scale(guidedTimes[i/2])*(with[i]-away[i])
			}
			return out
		}
		three := func(float64) float64 { return 3 }
		without := value(classScore, none)
		gomlxtest.Near(t, "unconditional", value(field.Unconditional{Field: classScore, ContextShape: []int{2}}, nil), without, 1e-12)
		gomlxtest.Near(t, "a negative context", value(field.Guided{Field: classScore, Scale: 3, Negative: negative[0]}, guidedContexts),
			led(value(classScore, negative), three), 1e-12)
		gomlxtest.Near(t, "a weak model", value(field.Guided{Field: classScore, Scale: 3, Weak: weak}, guidedContexts),
			led(value(weak, guidedContexts), three), 1e-12)
		gomlxtest.Near(t, "an interval", value(field.Guided{Field: classScore, Scale: 3, From: 0.3, To: 0.7}, guidedContexts),
			led(without, func(at float64) float64 {
				if at >= 0.3 && at <= 0.7 {
					return 3
				}
				return 1
			}), 1e-12)
		// An event of two values a, b has the deviation |a-b|/2.
		guided, rescaled := led(without, three), make([]float64, len(with))
		for i := 0; i < len(with); i += 2 {
			ratio := math.Abs(with[i]-with[i+1]) / math.Abs(guided[i]-guided[i+1])
			for k := i; k < i+2; k++ {
				rescaled[k] = guided[k] * (0.7*ratio + 0.3)
			}
		}
		gomlxtest.Near(t, "rescaling", value(field.Guided{Field: classScore, Scale: 3, Rescale: 0.7}, guidedContexts), rescaled, 1e-9)
	})
}

// A guided network, and one without its context, are fields; the null context of a network in a
// scope lives there, too.
func TestGuidedIsAField(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		mlp := field.MLP{EventShape: []int{2}, Hidden: []int{4}, ContextDim: 2}
		guided := field.Guided{Field: field.Scoped{Scope: "strong", Field: mlp}, Scale: 2, From: 0.1, To: 0.7, Rescale: 0.5}
		if err := field.Check(backend, guided, []int{2}, []int{2}); err != nil {
			t.Error(err)
		}
		store := model.NewStore()
		if _, err := model.CallOnce(backend, store, func(scope *model.Scope, x *Node) *Node {
			return call(guided, x, ConstAs(x, 0.5), x, scope)
		}, [][]float32{{1, 2}}); err != nil {
			t.Fatal(err)
		}
		if store.GetVariable("/strong/null_context") == nil {
			t.Error("the null context isn't in the scope of its network")
		}
	})
}

// Bad parameters, and inputs that can't be guided, are errors that teach.
func TestBadGuidance(t *testing.T) {
	mlp := field.MLP{EventShape: []int{1}, Hidden: []int{4}, ContextDim: 2}
	wide := field.MLP{EventShape: []int{1, 1}, Hidden: []int{4}, ContextDim: 2}
	for want, f := range map[string]field.Field{
		"Scale is 0":             field.Guided{Field: mlp},
		"Scale is NaN":           field.Guided{Field: mlp, Scale: math.NaN()},
		"go from 0.6 to 0.4":     field.Guided{Field: mlp, Scale: 2, From: 0.6, To: 0.4},
		"go from -0.1 to 1":      field.Guided{Field: mlp, Scale: 2, From: -0.1},
		"go from 0.5 to 2":       field.Guided{Field: mlp, Scale: 2, From: 0.5, To: 2},
		"Rescale is 1.5":         field.Guided{Field: mlp, Scale: 2, Rescale: 1.5},
		"both Weak and Negative": field.Guided{Field: mlp, Scale: 2, Weak: mlp, Negative: []float64{1, 2}},
		"the field is nil":       field.Guided{Scale: 2},
		"those of Weak 2":        field.Guided{Field: mlp, Scale: 2, Weak: wide},
		"ContextShape is ()":     field.Unconditional{Field: mlp},
		"ContextShape is (0)":    field.Unconditional{Field: mlp, ContextShape: []int{0}},
	} {
		gomlxtest.Says(t, want, field.Validate(f), want)
	}
	backend := gomlxtest.Go(t)
	for want, c := range map[string]struct {
		f       field.Field
		context bool
	}{
		"no context to lead samples to": {field.Guided{Field: mlp, Scale: 2}, false},
		"Negative has 3 values":         {field.Guided{Field: mlp, Scale: 2, Negative: []float64{1, 2, 3}}, true},
		"the deviation of one value":    {field.Guided{Field: mlp, Scale: 2, Rescale: 1}, true},
		"the field takes none":          {field.Unconditional{Field: mlp, ContextShape: []int{2}}, true},
	} {
		_, err := model.CallOnce(backend, model.NewStore(), func(scope *model.Scope, in []*Node) *Node {
			x, context := in[0], in[1]
			if !c.context {
				context = nil
			}
			return call(c.f, x, ConstAs(x, 0.5), context, scope)
		}, [][]float32{{1}}, [][]float32{{1, 2}})
		gomlxtest.Says(t, want, err, want)
	}
}

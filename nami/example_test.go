package nami_test

import (
	"context"
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/toy"
	"github.com/nami-flow/go-nami/nami/train"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// velocity is a network of the user's own, of GoMLX's layers: anything with these two
// methods is a field.
type velocity struct{ dim, contextDim int }

func (velocity) EventRank() int { return 1 }

func (v velocity) Apply(scope *model.Scope, x, t, c *Node) *Node {
	t = InsertAxes(t, -1)
	if t.Rank() < x.Rank() { // a scalar time
		t = BroadcastPrefix(t, x.Shape().Dimensions[:x.Rank()-1]...)
	}
	in := []*Node{x, t}
	if v.contextDim > 0 {
		in = append(in, c)
	}
	h := activation.Swish(layers.Dense(scope.At("hidden"), Concatenate(in, -1), true, 32))
	return layers.Dense(scope.At("out"), h, true, v.dim)
}

// A flow-matching model, trained and sampled.
func Example() {
	ctx := context.Background()
	backend, err := nami.OpenBackend("go")
	if err != nil {
		panic(err)
	}
	points, err := toy.TwoMoons{Noise: 0.05}.Sample(1, 2000)
	if err != nil {
		panic(err)
	}
	store := model.NewStore()
	net := velocity{dim: 2}
	// Without a path the loss takes the linear one.
	history, err := train.Fit(ctx, backend, store, loss.FM{Field: net}, data.Events{X: points}, train.Steps(50), train.BatchSize(64))
	if err != nil {
		panic(err)
	}
	flow := nami.FlowMatching{Field: net, Base: distribution.NewStandardNormal(2), Solver: solver.RK4(8)}
	process, err := flow.Bind(backend, store, nil) // nil: no context
	if err != nil {
		panic(err)
	}
	samples, err := process.Sample(ctx, 64)
	if err != nil {
		panic(err)
	}
	fmt.Println(history.Steps(), samples.Shape().Dimensions)
	// Output: 50 [64 2]
}

// One sample for each of 16 conditions, and their log-densities.
func Example_conditional() {
	ctx := context.Background()
	backend, err := nami.OpenBackend("go")
	if err != nil {
		panic(err)
	}
	store, net := model.NewStore(), velocity{dim: 8, contextDim: 4}
	if err := nami.Initialize(backend, store, net, []int{8}, []int{4}, 1); err != nil { // training does this
		panic(err)
	}
	conditions := tensors.FromFlatDataAndDimensions(make([]float32, 16*4), 16, 4)
	flow := nami.FlowMatching{Field: net, Base: distribution.NewStandardNormal(8), Solver: solver.RK4(4)}
	process, err := flow.Bind(backend, store, conditions)
	if err != nil {
		panic(err)
	}
	samples, err := process.Sample(ctx, 1)
	if err != nil {
		panic(err)
	}
	logProb, err := process.LogProb(ctx, samples, divergence.Hutchinson{})
	if err != nil {
		panic(err)
	}
	fmt.Println(samples.Shape().Dimensions, logProb.Shape().Dimensions)
	// Output: [1 16 8] [1 16]
}

// The same field as a diffusion model: a schedule and a stochastic solver.
func ExampleDiffusion() {
	ctx := context.Background()
	backend, err := nami.OpenBackend("go")
	if err != nil {
		panic(err)
	}
	points, err := toy.TwoMoons{Noise: 0.05}.Sample(1, 2000)
	if err != nil {
		panic(err)
	}
	store, net := model.NewStore(), velocity{dim: 2}
	vp := schedule.VP{BetaMin: 0.1, BetaMax: 20}
	denoising := loss.Denoising{Field: net, Prediction: schedule.Eps, Schedule: vp}
	if _, err := train.Fit(ctx, backend, store, denoising, data.Events{X: points}, train.Steps(50), train.BatchSize(64)); err != nil {
		panic(err)
	}
	m := nami.Diffusion{Field: net, Prediction: schedule.Eps, Schedule: vp, Solver: solver.EulerMaruyama(100), EventShape: []int{2}}
	process, err := m.Bind(backend, store, nil)
	if err != nil {
		panic(err)
	}
	samples, err := process.Sample(ctx, 64)
	if err != nil {
		panic(err)
	}
	fmt.Println(samples.Shape().Dimensions)
	// Output: [64 2]
}

// ralston is a method of the user's own, Ralston's of order 2.
var ralston = solver.Tableau{
	Name: "Ralston", Convergence: 2,
	A: [][]float64{{}, {2. / 3}}, B: []float64{1. / 4, 3. / 4}, C: []float64{0, 2. / 3},
}

// A method of your own, tested, in a flow whose answer is known: dx/dt = -x from t=1 to 0.
func ExampleFlowMatching_Integrate() {
	backend, err := nami.OpenBackend("go")
	if err != nil {
		panic(err)
	}
	fmt.Println(solver.Check(backend, ralston))
	flow := nami.FlowMatching{
		Field:  field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return Neg(x) }},
		Base:   distribution.NewStandardNormal(1),
		Solver: solver.Solver{Method: ralston, Steps: 100},
	}
	forward, err := nami.NewComputation(backend, nil, func(scope *model.Scope, in []*Node) []*Node {
		return []*Node{flow.Integrate(scope, in[0], nil, 1, 0)}
	})
	if err != nil {
		panic(err)
	}
	out, err := forward.Call(tensors.FromFlatDataAndDimensions([]float64{1}, 1, 1))
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.3f %.3f\n", tensors.MustCopyFlatData[float64](out[0])[0], math.E)
	// Output:
	// <nil>
	// 2.718 2.718
}

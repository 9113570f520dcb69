package nami_test

import (
	"context"
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/diagnostic"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/interpolant"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// At eager level what comes back is an error, never a panic and never a hang, whatever is
// nil, negative, of another rank or not finite.
func TestErrorsNotPanics(t *testing.T) {
	backend, ctx := gomlxtest.Go(t), context.Background()
	var none context.Context
	identity := field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return x }}
	flow := nami.FlowMatching{Field: identity, Base: distribution.NewStandardNormal(2), Solver: solver.Heun(2)}
	process, err := flow.Bind(backend, model.NewStore(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ofCall := func(_ any, err error) error { return err }
	bind := func(flow nami.FlowMatching, options ...nami.Option) error {
		return ofCall(flow.Bind(backend, model.NewStore(), nil, options...))
	}
	stream := func(n int) (err error) {
		for _, err = range process.Stream(ctx, n) {
			break
		}
		return err
	}
	initialize := func(event, context []int) error {
		return nami.Initialize(backend, model.NewStore(), identity, event, context, 1)
	}
	computation := func(out ...*Node) error {
		c, err := nami.NewComputation(backend, nil, func(*model.Scope, []*Node) []*Node { return out })
		if err != nil {
			return err
		}
		return ofCall(c.Call(ones(1)))
	}
	guided := func(g nami.Guidance) error {
		m := diffusion(schedule.VP{}, schedule.Eps, solver.EulerMaruyama(2))
		m.Guidance = g
		p, err := m.Bind(backend, model.NewStore(), nil)
		if err != nil {
			return err
		}
		return ofCall(p.Sample(ctx, 2))
	}
	with := func(change func(*nami.FlowMatching)) error {
		changed := flow
		change(&changed)
		return bind(changed)
	}
	nothing := func(int) (*nami.Process, error) { return nil, nil }
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"no output":          {computation(), "the graph has no outputs"},
		"nil output":         {computation(nil), "output 0 of the graph is nil"},
		"nil option":         {bind(flow, nami.Seed(1), nil), "option 1 of 2 is nil"},
		"nil function":       {with(func(m *nami.FlowMatching) { m.Field = field.Func{Rank: 1} }), "F is nil"},
		"negative rank":      {with(func(m *nami.FlowMatching) { m.Field = field.Func{Rank: -1, F: identity.F} }), "Rank is -1"},
		"bad tolerances":     {with(func(m *nami.FlowMatching) { m.Solver = solver.Dopri5(-1, 0) }), "rtol must be at least 0"},
		"negative event":     {with(func(m *nami.FlowMatching) { m.Base = distribution.NewStandardNormal(-2) }), "an event has shape (-2)"},
		"nil context":        {ofCall(process.Sample(none, 2)), "the context.Context is nil"},
		"stream of none":     {stream(0), "axis 0 of the sample shape (0) is 0"},
		"stream of few":      {stream(-3), "axis 0 of the sample shape (-3) is -3"},
		"gradient of nil":    {ofCall(process.LogProbGradient(ctx, nil, divergence.Exact{})), "the data is nil"},
		"gradient, no trace": {ofCall(process.LogProbGradient(ctx, ones(3, 2), nil)), "the estimator of the divergence is nil"},
		"gradient, event":    {ofCall(process.LogProbGradient(ctx, ones(3, 3), divergence.Exact{})), "ends in (3), expected events of shape (2)"},
		"gradient, NaN":      {ofCall(process.LogProbGradient(ctx, poisoned(math.NaN(), 3, 2), divergence.Exact{})), "1 of 6 values of the data"},
		"solve NaN":          {ofCall(process.Solve(ctx, poisoned(math.NaN(), 3, 2), 1, 0)), "1 of 6 values of the state"},
		"solve at NaN":       {ofCall(process.Solve(ctx, ones(3, 2), math.NaN(), 0)), "can't solve from NaN to 0"},
		"rebind a scalar":    {ofCall(process.Rebind(ones())), "the context is (Float32): expected Float32 values of shape batch_shape+[context_dim]"},
		"rebind nothing":     {ofCall(process.Rebind(ones(0, 2))), "the context is (Float32)[0, 2]"},

		"initialise, rank":    {initialize([]int{2, 3}, nil), "events have rank 1, and eventShape is (2, 3)"},
		"initialise, event":   {initialize([]int{-2}, nil), "an event has shape (-2)"},
		"initialise, context": {initialize([]int{2}, []int{-1}), "a context has shape (-1)"},
		"initialise, store":   {nami.Initialize(backend, nil, identity, []int{2}, nil, 1), "one of them is nil"},
		"guidance's shape": {
			guided(func(_ *model.Scope, _, _, _, eps *Node) *Node { return ReduceSum(eps, -1) }),
			"returned (Float32)[2] for x of (Float32)[2, 2]",
		},
		"guidance of NaN": {
			guided(func(_ *model.Scope, _, _, _, eps *Node) *Node { return Log(Neg(Square(eps))) }),
			"2 of 2 samples didn't get from t = 1 to 0",
		},

		"nil process":         {ofCall(diagnostic.Reversibility(ctx, nil, ones(2, 2))), "the process is nil"},
		"bind of nil":         {ofCall(diagnostic.Convergence(ctx, ones(2, 2), []int{1, 2, 4}, nothing)), "bind gave no process for 1 steps"},
		"isotropic":           {ofCall(distribution.Isotropic(0, 1, -2)), "an event has shape (-2)"},
		"box":                 {ofCall(distribution.UniformBox(0, 1, 2, 0)), "an event has shape (2, 0)"},
		"unflatten":           {ofCall(shape.UnflattenTensor(ones(2, 4), []int{-2, -2})), "an event has shape (-2, -2)"},
		"field.Check, event":  {field.Check(backend, identity, []int{-2}, nil), "an event has shape (-2)"},
		"field.Check":         {field.Check(nil, identity, []int{2}, nil), "the backend is nil"},
		"path.Check":          {path.Check(nil, path.Linear{}), "the backend is nil"},
		"schedule.Check":      {schedule.Check(nil, schedule.VP{}), "the backend is nil"},
		"interpolant.Check":   {interpolant.Check(nil, interpolant.Zero{}), "the backend is nil"},
		"distribution.Check":  {distribution.Check(nil, distribution.NewStandardNormal(2)), "the backend is nil"},
		"solver.Check":        {solver.Check(nil, solver.HeunTableau), "the backend is nil"},
		"solver, nil context": {solveWithout(none, t), "the context.Context is nil"},
	} {
		gomlxtest.Says(t, name, c.err, c.want)
	}
}

// solveWithout solves with a program of a solver's own.
func solveWithout(ctx context.Context, t *testing.T) error {
	t.Helper()
	p, err := solver.NewProgram(gomlxtest.Go(t), model.NewStore(), solver.Heun(1), func(*model.Scope, []*Node) solver.System {
		return solver.System{Drift: func(y []*Node, _ *Node) []*Node { return y }}
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Solve(ctx, []*tensors.Tensor{ones(2, 2)}, nil, solver.Run{T1: 1})
	return err
}

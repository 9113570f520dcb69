package nami_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// What draws nothing takes no seed: calls without random numbers between two Samples change
// nothing about the second.
func TestDeterministicCallsTakeNoSeed(t *testing.T) {
	backend, ctx := gomlxtest.Go(t), context.Background()
	for _, m := range []builder{gauss(3), diffusion(schedule.VP{}, schedule.Eps, solver.Heun(3))} {
		second := func(between func(p *nami.Process)) []float64 {
			p := bindDoubles(t, backend, m)
			if _, err := p.Sample(ctx, 4); err != nil {
				t.Fatal(err)
			}
			between(p)
			x, err := p.Sample(ctx, 4)
			return gomlxtest.Floats(t, x, err)
		}
		x := doubles([]float64{0.3, -0.2, 1, 0.4}, 2, 2)
		want := second(func(*nami.Process) {})
		must := func(_ any, err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		for name, call := range map[string]func(p *nami.Process){
			"LogProb":         func(p *nami.Process) { must(p.LogProb(ctx, x, divergence.Exact{})) },
			"LogProbGradient": func(p *nami.Process) { must(p.LogProbGradient(ctx, x, divergence.Exact{})) },
			"Encode":          func(p *nami.Process) { must(p.Encode(ctx, x)) },
			"SampleFrom":      func(p *nami.Process) { must(p.SampleFrom(ctx, x)) },
			"Solve":           func(p *nami.Process) { must(p.Solve(ctx, x, 1, 0.5)) },
		} {
			gomlxtest.Near(t, name, second(call), want, 0)
		}
		if other := second(func(p *nami.Process) { must(p.LogProb(ctx, x, divergence.Hutchinson{})) }); slices.Equal(other, want) {
			t.Error("an estimate draws, so what comes after it must be drawn anew")
		}
	}
	// A stochastic solve draws, from given noise too.
	p := bindDoubles(t, backend, diffusion(schedule.VP{}, schedule.Eps, solver.EulerMaruyama(3)))
	noise := doubles([]float64{0.3, -0.2}, 1, 2)
	one, err := p.SampleFrom(ctx, noise)
	first := gomlxtest.Floats(t, one, err)
	two, err := p.SampleFrom(ctx, noise)
	if slices.Equal(first, gomlxtest.Floats(t, two, err)) {
		t.Error("the reverse process gave the same samples twice")
	}
}

// scaledTrace is a user's estimator, the trace times a factor, which it doesn't print.
type scaledTrace struct {
	divergence.Exact
	factor  float64
	factors []float64 // of no use, but it makes the type one that == can't compare
}

func (scaledTrace) String() string { return "scaledTrace" }

func (e scaledTrace) Estimate(f func(x *Node) *Node, x *Node, rank int, probes *Node) (value, div *Node) {
	value, div = e.Exact.Estimate(f, x, rank, probes)
	return value, MulScalar(div, e.factor)
}

// Programs belong to an estimator's value, not to what it prints.
func TestProgramsOfEstimators(t *testing.T) {
	backend, ctx := gomlxtest.Go(t), context.Background()
	p := bindDoubles(t, backend, gauss(10))
	x := doubles([]float64{0.3, -0.2}, 1, 2)
	logProb := func(e divergence.Estimator) float64 {
		out, err := p.LogProb(ctx, x, e)
		return gomlxtest.Floats(t, out, err)[0]
	}
	none, one := logProb(scaledTrace{}), logProb(scaledTrace{factor: 1})
	two, again := logProb(scaledTrace{factor: 2, factors: []float64{1}}), logProb(scaledTrace{factor: 1})
	if one != logProb(divergence.Exact{}) || again != one {
		t.Errorf("the trace itself gives %v and again %v", one, again)
	}
	if integral := one - none; integral == 0 || math.Abs(two-none-2*integral) > 1e-12 {
		t.Errorf("with 0, 1 and 2 times the trace the log-densities are %v, %v and %v", none, one, two)
	}
}

// A field's own divergence is of no use with a mask, and the error says why.
func TestOwnDivergenceWithMask(t *testing.T) {
	backend := gomlxtest.Go(t)
	flow := pooledFlow(3, 2)
	flow.Field = knowing{pooled, func(t *Node) *Node { return t }}
	masked := maskedLike(t, backend, flow)
	_, err := masked.LogProb(context.Background(), padded(), nil)
	gomlxtest.Says(t, "masked", err, "the divergence that the field knows is that of a whole event, padding included")
	m := diffusion(schedule.VP{}, schedule.Eps, solver.Heun(2))
	m.Field = knowing{m.Field, func(t *Node) *Node { return t }}
	m.Guidance = func(_ *model.Scope, _, _, _, eps *Node) *Node { return eps }
	_, err = bindDoubles(t, backend, m).LogProb(context.Background(), doubles([]float64{0, 0}, 1, 2), nil)
	gomlxtest.Says(t, "guided", err, "isn't that of the guided prediction")
	_, err = bindDoubles(t, backend, gauss(2)).LogProb(context.Background(), doubles([]float64{0, 0}, 1, 2), nil)
	gomlxtest.Says(t, "unknown", err, "the field doesn't know its divergence")
}

// A service that rebinds for each request, from many goroutines, gets what it would have got
// alone, each time.
func TestConcurrentRebind(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx, store := context.Background(), initialised(t, backend)
		process, err := mlp.Bind(backend, store, ones(1, 4))
		if err != nil {
			t.Fatal(err)
		}
		const clients = 6
		context := func(k int) *tensors.Tensor {
			c := make([]float32, 4*(1+k%2))
			for i := range c {
				c[i] = float32(k) + 0.1*float32(i)
			}
			return tensors.FromFlatDataAndDimensions(c, 1+k%2, 4)
		}
		request := func(k int) ([]float32, []float32, error) {
			p, err := process.Rebind(context(k))
			if err != nil {
				return nil, nil, err
			}
			p = p.Seeded(int64(k))
			x, err := p.Sample(ctx, 3)
			if err != nil {
				return nil, nil, err
			}
			logProb, err := p.LogProb(ctx, x, divergence.Exact{})
			if err != nil {
				return nil, nil, err
			}
			return tensors.MustCopyFlatData[float32](x), tensors.MustCopyFlatData[float32](logProb), nil
		}
		var wantX, wantP [clients][]float32
		fresh, err := mlp.Bind(backend, initialised(t, backend), ones(1, 4))
		if err != nil {
			t.Fatal(err)
		}
		shared := process
		process = fresh
		for k := range clients {
			if wantX[k], wantP[k], err = request(k); err != nil {
				t.Fatal(err)
			}
		}
		process = shared // its programs aren't compiled yet
		var group sync.WaitGroup
		for k := range clients {
			group.Go(func() {
				for range 4 {
					x, logProb, err := request(k)
					if err != nil {
						t.Error(err)
						return
					}
					if !slices.Equal(x, wantX[k]) || !slices.Equal(logProb, wantP[k]) {
						t.Errorf("client %d got %v with %v, expected %v with %v", k, x, logProb, wantX[k], wantP[k])
					}
				}
			})
		}
		// One that is refused leaves the store as it was for the others.
		group.Go(func() {
			for range 4 {
				_, err := process.Rebind(ones(1, 5))
				gomlxtest.Says(t, "a context of the wrong size", err, "(Float32)[1, 5]")
			}
		})
		group.Wait()
	})
}

// More events than any machine holds are an error that says what they need, from every call
// that takes a number of them, and nothing is taken before.
func TestHugeSizes(t *testing.T) {
	ctx := context.Background()
	p := bindDoubles(t, gomlxtest.Go(t), gauss(2))
	tooMany := func(_ any, err error) error { return err }
	for _, sizes := range [][]int{{9e18}, {1e15}, {1e13}, {math.MaxInt, math.MaxInt}, {1 << 32, 1 << 32}, {3, 1 << 62}} {
		for name, err := range map[string]error{
			"Sample":     tooMany(p.Sample(ctx, sizes...)),
			"Trajectory": tooMany(p.Trajectory(ctx, []float64{1, 0.5, 0}, sizes...)),
			"SampleWithLogProb": func() error {
				_, _, err := p.SampleWithLogProb(ctx, divergence.Exact{}, sizes...)
				return err
			}(),
		} {
			gomlxtest.Says(t, fmt.Sprint(name, sizes), err, "of memory, and there are ")
		}
	}
	times := make([]float64, 100_000)
	for i := range times {
		times[i] = 1 - float64(i)/1e5
	}
	gomlxtest.Says(t, "many times", tooMany(p.Trajectory(ctx, times, 10_000_000)), "of memory, and there are ")
	for _, err := range p.Stream(ctx, 9e18) {
		gomlxtest.Says(t, "Stream", err, "a stream has random numbers for 2³² events")
	}
}

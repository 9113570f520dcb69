package tests

import (
	"testing"

	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

type scheduleParameters struct {
	Kind     string
	BetaMin  float64 `json:"beta_min"`
	BetaMax  float64 `json:"beta_max"`
	SigmaMin float64 `json:"sigma_min"`
	SigmaMax float64 `json:"sigma_max"`
	Rho      float64
}

func (p scheduleParameters) schedule(t *testing.T) schedule.Schedule {
	t.Helper()
	switch p.Kind {
	case "vp":
		return schedule.VP{BetaMin: p.BetaMin, BetaMax: p.BetaMax}
	case "ve":
		return schedule.VE{SigmaMin: p.SigmaMin, SigmaMax: p.SigmaMax}
	case "edm":
		return schedule.EDM{SigmaMin: p.SigmaMin, SigmaMax: p.SigmaMax, Rho: p.Rho}
	}
	t.Fatalf("there is no schedule %q", p.Kind)
	return nil
}

// The four methods of each schedule, and the signal-to-noise ratio entry by entry.
func TestGoldenSchedules(t *testing.T) {
	g := readGolden(t, "schedules")
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		for _, c := range g.Cases {
			parameters, _ := get[scheduleParameters](t, c.Inputs, "schedule")
			s := parameters.schedule(t)
			for _, dtype := range bothDTypes {
				out, err := CallOnceN(backend, func(x, at *Node) []*Node {
					return []*Node{s.Alpha(at), s.Sigma(at), s.Drift(x, at), s.Diffusion(at), schedule.SNR(s, at)}
				}, tensorOf(t, c.Inputs, "x", dtype), tensorOf(t, c.Inputs, "t", dtype))
				if err != nil {
					t.Fatalf("%s: %v", c.Name, err)
				}
				for i, key := range []string{"alpha", "sigma", "drift", "diffusion"} {
					agree(t, c.Name+", "+key, out[i], tensorOf(t, c.Expected, key, dtype))
				}
				agreeEach(t, c.Name+", snr", out[4], tensorOf(t, c.Expected, "snr", dtype), 10*tolerance(dtype))
			}
		}
		if len(g.Cases) == 0 {
			t.Fatal("no golden case ran")
		}
	})
}

// Conversions between eps, score and x0, for given α and σ.
func TestGoldenConversions(t *testing.T) {
	g := readGolden(t, "conversions")
	pairs := map[string][2]schedule.Prediction{
		"eps_to_score": {schedule.Eps, schedule.Score}, "score_to_eps": {schedule.Score, schedule.Eps},
		"eps_to_x0": {schedule.Eps, schedule.X0}, "x0_to_eps": {schedule.X0, schedule.Eps},
		"score_to_x0": {schedule.Score, schedule.X0}, "x0_to_score": {schedule.X0, schedule.Score},
	}
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		for _, c := range g.Cases {
			name, _ := get[string](t, c.Inputs, "function")
			pair, ok := pairs[name]
			if !ok {
				t.Fatalf("%s: there is no conversion %q", c.Name, name)
			}
			for _, dtype := range bothDTypes {
				in := []any{tensorOf(t, c.Inputs, "value", dtype), tensorOf(t, c.Inputs, "sigma", dtype)}
				for _, key := range []string{"x", "alpha"} {
					if v := tensorOf(t, c.Inputs, key, dtype); v != nil {
						in = append(in, v)
					}
				}
				out, err := CallOnce(backend, func(in []*Node) *Node {
					value, x, given := in[0], in[0], given{sigma: in[1], alpha: OnesLike(in[1])}
					if len(in) == 4 { // else x and α don't matter
						x, given.alpha = in[2], in[3]
					}
					return schedule.Convert(given, pair[0], pair[1], value, x, ZerosLike(in[1]))
				}, in...)
				if err != nil {
					t.Fatalf("%s: %v", c.Name, err)
				}
				agree(t, c.Name, out, tensorOf(t, c.Expected, "out", dtype))
			}
		}
		if len(g.Cases) == 0 {
			t.Fatal("no golden case ran")
		}
	})
}

// given is a schedule of which only α and σ are known, whatever the time.
type given struct{ alpha, sigma *Node }

func (s given) Alpha(*Node) *Node       { return s.alpha }
func (s given) Sigma(*Node) *Node       { return s.sigma }
func (s given) Drift(x, _ *Node) *Node  { panic("not asked for") }
func (s given) Diffusion(_ *Node) *Node { panic("not asked for") }

// Points and velocities of the paths, in every shape of lead and event.
func TestGoldenPaths(t *testing.T) {
	g := readGolden(t, "paths")
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		for _, c := range g.Cases {
			name, _ := get[string](t, c.Inputs, "path")
			p := map[string]path.Path{"linear": path.Linear{}, "cosine": path.Cosine{}}[name]
			if p == nil {
				t.Fatalf("%s: there is no path %q", c.Name, name)
			}
			for _, dtype := range bothDTypes {
				target, at := tensorOf(t, c.Inputs, "x_target", dtype), tensorOf(t, c.Inputs, "t", dtype)
				rank, _ := get[int](t, c.Inputs, "event_ndim")
				lead, _, err := shape.Split(target.Shape().Dimensions, rank)
				if err != nil {
					t.Fatal(err)
				}
				if at.Rank() != 0 && shape.Validate(at.Shape().Dimensions, nil, lead) != nil {
					t.Fatalf("%s: t is %s, and the lead %v", c.Name, at.Shape(), lead)
				}
				out, err := CallOnceN(backend, func(target, source, at *Node) []*Node {
					return []*Node{p.Point(target, source, at), p.Velocity(target, source, at)}
				}, target, tensorOf(t, c.Inputs, "x_source", dtype), at)
				if err != nil {
					t.Fatalf("%s: %v", c.Name, err)
				}
				agree(t, c.Name+", xt", out[0], tensorOf(t, c.Expected, "xt", dtype))
				agree(t, c.Name+", ut", out[1], tensorOf(t, c.Expected, "ut", dtype))
			}
		}
		if len(g.Cases) == 0 {
			t.Fatal("no golden case ran")
		}
	})
}

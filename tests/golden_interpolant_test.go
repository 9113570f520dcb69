package tests

import (
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/interpolant"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

type gammaParameters struct {
	Kind       string
	Scale, Eps float64
}

func (p gammaParameters) gamma(t *testing.T) interpolant.Gamma {
	t.Helper()
	switch p.Kind {
	case "zero":
		return interpolant.Zero{}
	case "brownian":
		return interpolant.Brownian{Eps: p.Eps}
	case "scaled_brownian":
		return interpolant.ScaledBrownian{Scale: p.Scale, Eps: p.Eps}
	}
	t.Fatalf("there is no gamma %q", p.Kind)
	return nil
}

// Gamma, its derivative and their product: the derivative, which grows towards the ends,
// entry by entry.
func TestGoldenGammas(t *testing.T) {
	g := readGolden(t, "interpolants")
	var cases []goldenCase
	var gammas []interpolant.Gamma
	for _, c := range g.Cases {
		if c.Op == "gamma" {
			parameters, _ := get[gammaParameters](t, c.Inputs, "gamma")
			cases, gammas = append(cases, c), append(gammas, parameters.gamma(t))
		}
	}
	if len(cases) != 6 {
		t.Fatalf("there are %d cases, expected 6", len(cases))
	}
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		for _, dtype := range bothDTypes {
			var times []any
			for _, c := range cases {
				times = append(times, tensorOf(t, c.Inputs, "t", dtype))
			}
			out, err := CallOnceN(backend, func(times []*Node) (out []*Node) {
				for i, at := range times {
					out = append(out, gammas[i].Gamma(at), gammas[i].GammaGammaDot(at), interpolant.GammaDot(gammas[i], at))
				}
				return out
			}, times...)
			if err != nil {
				t.Fatal(err)
			}
			for i, c := range cases {
				agree(t, c.Name+", gamma", out[3*i], tensorOf(t, c.Expected, "gamma", dtype))
				agree(t, c.Name+", gamma_gamma_dot", out[3*i+1], tensorOf(t, c.Expected, "gamma_gamma_dot", dtype))
				agreeEach(t, c.Name+", gamma_dot", out[3*i+2], tensorOf(t, c.Expected, "gamma_dot", dtype), tolerance(dtype))
			}
		}
	})
}

// The field transforms on the reference's networks. Where its signs are wrong, what is
// expected are the right ones: score = -η/γ, drift = velocity - γγ̇·score.
func TestGoldenInterpolantFields(t *testing.T) {
	g := readGolden(t, "interpolants")
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		ran := 0
		for _, c := range g.Cases {
			if !slices.Contains([]string{"score_from_noise", "drift_from_velocity_score", "mirror_velocity_from_score", "from_noise_chain"}, c.Op) {
				continue
			}
			ran++
			if backends.Few(backend) && c.Op != "from_noise_chain" && c.Op != "drift_from_velocity_score" {
				continue // those two compile what the others do
			}
			for _, dtype := range bothDTypes {
				store := model.NewStore()
				networks := map[string]field.Field{}
				for _, role := range []string{"eta", "velocity", "score"} {
					if name, ok := get[string](t, c.Inputs, role); ok {
						networks[role] = field.Scoped{Scope: role, Field: g.Networks[name].loadIn(t, store.RootScope().At("%s", role), dtype)}
					}
				}
				parameters, _ := get[gammaParameters](t, c.Inputs, "gamma")
				fields, keys := transforms(c.Op, networks, parameters.gamma(t))
				in := []any{tensorOf(t, c.Inputs, "x", dtype), wholeLead(tensorOf(t, c.Inputs, "t", dtype), tensorOf(t, c.Inputs, "x", dtype), c.Name, dtype)}
				if context := tensorOf(t, c.Inputs, "c", dtype); context != nil {
					in = append(in, context)
				}
				out, err := model.CallOnceN(backend, store, func(scope *model.Scope, in []*Node) (out []*Node) {
					var context *Node
					if len(in) > 2 {
						context = in[2]
					}
					for _, f := range fields {
						out = append(out, field.Call(f, scope, in[0], in[1], context))
					}
					return out
				}, in...)
				if err != nil {
					t.Fatalf("%s: %v", c.Name, err)
				}
				for i, key := range keys {
					agree(t, c.Name+", "+key, out[i], tensorOf(t, c.Expected, key, dtype))
				}
			}
		}
		if ran != 24 {
			t.Errorf("%d cases ran, expected 24", ran)
		}
	})
}

// transforms returns the fields that a case compares, and the keys of what is expected.
func transforms(op string, networks map[string]field.Field, gamma interpolant.Gamma) (fields []field.Field, keys []string) {
	switch op {
	case "score_from_noise":
		return []field.Field{interpolant.ScoreFromNoise{Noise: networks["eta"], Gamma: gamma}}, []string{"out"}
	case "drift_from_velocity_score":
		return []field.Field{interpolant.DriftFromVelocityScore{Velocity: networks["velocity"], Score: networks["score"], Gamma: gamma}}, []string{"out"}
	case "mirror_velocity_from_score":
		return []field.Field{interpolant.MirrorVelocityFromScore{Score: networks["score"], Gamma: gamma}}, []string{"out"}
	default:
		score := interpolant.ScoreFromNoise{Noise: networks["eta"], Gamma: gamma}
		return []field.Field{
			interpolant.DriftFromVelocityScore{Velocity: networks["velocity"], Score: score, Gamma: gamma},
			interpolant.MirrorVelocityFromScore{Score: score, Gamma: gamma},
		}, []string{"drift", "mirror"}
	}
}

// wholeLead repeats a time that has only the inner axes of the lead, which is an error
// here, over the outer ones.
func wholeLead(at, x *tensors.Tensor, name string, dtype dtypes.DType) *tensors.Tensor {
	if !strings.HasSuffix(name, "inner_t") {
		return at
	}
	outer := x.Shape().Dim(0)
	return fromFloats(slices.Repeat(toFloats(at), outer), append([]int{outer}, at.Shape().Dimensions...), dtype)
}

// Closed forms on a Gaussian bridge: given η, velocity and score, the transforms are exact.
func TestGoldenGaussianBridge(t *testing.T) {
	g := readGolden(t, "interpolants")
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		ran := 0
		for _, c := range g.Cases {
			if c.Op != "gaussian_bridge" {
				continue
			}
			ran++
			parameters, _ := get[gammaParameters](t, c.Inputs, "gamma")
			gamma := parameters.gamma(t)
			for _, dtype := range bothDTypes {
				in := []any{tensorOf(t, c.Inputs, "x", dtype), tensorOf(t, c.Inputs, "t", dtype)}
				for _, key := range []string{"eta", "velocity", "score"} {
					in = append(in, tensorOf(t, c.Expected, key, dtype))
				}
				out, err := model.CallOnceN(backend, model.NewStore(), func(scope *model.Scope, in []*Node) (out []*Node) {
					is := func(value *Node) field.Field {
						return field.Func{F: func(*model.Scope, *Node, *Node, *Node) *Node { return value }}
					}
					eta, velocity, score := is(in[2]), is(in[3]), is(in[4])
					fromNoise := interpolant.ScoreFromNoise{Noise: eta, Gamma: gamma}
					for _, f := range []field.Field{
						fromNoise,
						interpolant.DriftFromVelocityScore{Velocity: velocity, Score: score, Gamma: gamma},
						interpolant.DriftFromVelocityScore{Velocity: velocity, Score: fromNoise, Gamma: gamma},
						interpolant.MirrorVelocityFromScore{Score: score, Gamma: gamma},
					} {
						out = append(out, field.Call(f, scope, in[0], in[1], nil))
					}
					return out
				}, in...)
				if err != nil {
					t.Fatalf("%s: %v", c.Name, err)
				}
				for i, key := range []string{"score", "drift", "drift", "mirror"} {
					agree(t, c.Name+", "+key, out[i], tensorOf(t, c.Expected, key, dtype))
				}
			}
		}
		if ran != 2 {
			t.Errorf("%d cases ran, expected 2", ran)
		}
	})
}

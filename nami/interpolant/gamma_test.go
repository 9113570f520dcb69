package interpolant_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/interpolant"
	"github.com/nami-flow/go-nami/nami/path"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

var all = []interpolant.Gamma{interpolant.Zero{}, interpolant.Brownian{}, interpolant.ScaledBrownian{Scale: 2}, interpolant.Brownian{Eps: 1e-6}}

func TestCheckAcceptsOurs(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, g := range all {
			if err := interpolant.Check(backend, g); err != nil {
				t.Error(err)
			}
		}
	})
}

// At the ends, and next to them, everything is finite; the product is exact there.
func TestEnds(t *testing.T) {
	times := []float64{0, 1e-15, 1e-9, 1e-4, 0.5, 1 - 1e-4, 1}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
			out, err := CallOnceN(backend, func(t *Node) (out []*Node) {
				t = ConvertDType(t, dtype)
				for _, g := range all {
					for _, v := range []*Node{g.Gamma(t), g.GammaGammaDot(t), interpolant.GammaDot(g, t)} {
						out = append(out, ConvertDType(v, dtypes.Float64))
					}
				}
				return out
			}, times)
			if err != nil {
				t.Fatal(err)
			}
			scales := []float64{0, 1, 2, 1}
			for i, g := range all {
				gamma, product, dot := values(out[3*i]), values(out[3*i+1]), values(out[3*i+2])
				for j, at := range times {
					want := scales[i] * (1 - 2*at) / 2
					if math.Abs(product[j]-want) > 1e-6 || math.IsNaN(dot[j]) || math.IsInf(dot[j], 0) || (gamma[j] == 0) != (i == 0) {
						t.Errorf("%v %s at t=%v: γ = %v, γγ̇ = %v (expected %v), γ̇ = %v", g, dtype, at, gamma[j], product[j], want, dot[j])
					}
				}
			}
		}
	})
}

func values(x *tensors.Tensor) []float64 { return tensors.MustCopyFlatData[float64](x) }

func TestValidate(t *testing.T) {
	for want, g := range map[string]interpolant.Gamma{
		"Scale is 0: it must be positive":         interpolant.ScaledBrownian{},
		"Scale is -1":                             interpolant.ScaledBrownian{Scale: -1},
		"Scale is NaN":                            interpolant.ScaledBrownian{Scale: math.NaN()},
		"Eps is -1: it must be between 0 and 1/4": interpolant.Brownian{Eps: -1},
		"Eps is 3":                                interpolant.ScaledBrownian{Scale: 2, Eps: 3},
		"the gamma is nil":                        nil,
	} {
		err := interpolant.Validate(g)
		gomlxtest.Says(t, want, err, want)
		if g == nil {
			continue
		}
		for _, f := range []func(*Node) *Node{g.Gamma, g.GammaGammaDot} {
			if _, e := CallOnce(gomlxtest.Go(t), f, 0.5); e == nil || !strings.Contains(e.Error(), want) {
				t.Errorf("%v: its graph gives %v, expected %v", g, e, err)
			}
		}
	}
}

// parts is a gamma of two functions.
type parts struct{ gamma, product func(t *Node) *Node }

func (g parts) Gamma(t *Node) *Node         { return g.gamma(t) }
func (g parts) GammaGammaDot(t *Node) *Node { return g.product(t) }

// Whatever breaks a rule is found, and told.
func TestCheckRejects(t *testing.T) {
	b := interpolant.Brownian{}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for want, g := range map[string]interpolant.Gamma{
			"it must be γ·dγ/dt":                  parts{b.Gamma, func(t *Node) *Node { return Neg(b.GammaGammaDot(t)) }},
			"it must vanish at both ends":         parts{Identity, Identity},
			"it may not be negative":              parts{func(t *Node) *Node { return Neg(b.Gamma(t)) }, b.GammaGammaDot},
			"GammaGammaDot is +Inf at t=0":        parts{func(t *Node) *Node { return Mul(quarter(t), OneMinus(t)) }, slopeOfQuarter},
			"Gamma(t) returned (Float32) for t":   parts{func(t *Node) *Node { return ScalarOne(t.Graph(), t.DType()) }, b.GammaGammaDot},
			"GammaGammaDot(t) returned (Float64)": parts{b.Gamma, func(t *Node) *Node { return ConvertDType(t, dtypes.Float64) }},
			"Scale is 0":                          interpolant.ScaledBrownian{},
			"the gamma is nil":                    nil,
		} {
			err := interpolant.Check(backend, g)
			gomlxtest.Says(t, "interpolant.Check", err, want)
		}
	})
}

// quarter is t^¼; the derivative of γ = t^¼·(1-t) is infinite at t=0 even after it is
// multiplied by γ.
func quarter(t *Node) *Node { return PowScalar(t, 0.25) }

func slopeOfQuarter(t *Node) *Node {
	// ½ d/dt [√t·(1-t)²] = (1-t)²/4√t - √t·(1-t)
	return Sub(Div(Square(OneMinus(t)), MulScalar(Sqrt(t), 4)), Mul(Sqrt(t), OneMinus(t)))
}

// An interpolant begins at the data and ends at the source, and its velocity is its
// derivative.
func TestInterpolant(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		const h = 1e-5
		out, err := CallOnceN(backend, func(target, source, z, t *Node) []*Node {
			in := interpolant.Interpolant{Gamma: interpolant.ScaledBrownian{Scale: 2}}
			at := func(t *Node) *Node { return in.Point(target, source, z, t) }
			slope := DivScalar(Sub(at(AddScalar(t, h)), at(AddScalar(t, -h))), 2*h)
			plain := interpolant.Interpolant{Gamma: interpolant.Zero{}}
			return []*Node{
				at(ZerosLike(t)), target, at(OnesLike(t)), source, in.Velocity(target, source, z, t), slope,
				plain.Velocity(target, source, z, t), Sub(source, target),
			}
		}, [][]float64{{1, 2}, {3, 4}}, [][]float64{{-1, 0}, {2, -3}}, [][]float64{{0.3, -1}, {1, 2}}, []float64{0.2, 0.9})
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(out); i += 2 {
			if !out[i].InDelta(out[i+1], 1e-5) {
				t.Errorf("pair %d: %v, expected %v", i/2, out[i], out[i+1])
			}
		}
	})
	err := gomlx.Try(func() error {
		g := NewGraph(gomlxtest.Go(t), "bad")
		defer g.Finalize()
		x := Const(g, []float32{1, 2})
		interpolant.Interpolant{}.Point(x, x, Const(g, float32(1)), Const(g, float32(0.5)))
		return nil
	})
	want := "the latent noise z is (Float32), the target (data) (Float32)[2]"
	gomlxtest.Says(t, want, err, want)
}

func TestStrings(t *testing.T) {
	f := field.Func{Rank: 1}
	score := interpolant.ScoreFromNoise{Noise: f, Gamma: interpolant.Brownian{}}
	for want, v := range map[string]any{
		"ScaledBrownian{2, 1e-12}":                                 interpolant.ScaledBrownian{Scale: 2},
		"ScoreFromNoise{Func{rank 1}, Brownian{1e-12}}":            score,
		"MirrorVelocityFromScore{Func{rank 1}, Zero}":              interpolant.MirrorVelocityFromScore{Score: f, Gamma: interpolant.Zero{}},
		"DriftFromVelocityScore{Func{rank 1}, Func{rank 1}, Zero}": interpolant.DriftFromVelocityScore{Velocity: f, Score: f, Gamma: interpolant.Zero{}},
		"Interpolant{Linear, Zero}":                                interpolant.Interpolant{Path: path.Linear{}, Gamma: interpolant.Zero{}},
		"Interpolant{Linear, Brownian{1e-12}}":                     interpolant.Interpolant{},
	} {
		if got := fmt.Sprint(v); got != want {
			t.Errorf("got %s, expected %s", got, want)
		}
	}
}

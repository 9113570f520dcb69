package interpolant_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/interpolant"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// bridge holds the closed forms of x_t = (1-t)·x0 + t·x1 + γ·z with x0 ~ N(mean, std²) and
// x1, z ~ N(0, 1): everything is jointly normal, so a mean given x_t is linear in it.
type bridge struct{ mean, std float64 }

// given is E[· | x_t] of something that has this mean and this covariance with x_t.
func (b bridge) given(gamma interpolant.Gamma, mean float64, covariance func(t *Node) *Node) field.Field {
	return field.Func{Rank: 0, F: func(_ *model.Scope, x, t, _ *Node) *Node {
		variance := Add(Add(MulScalar(Square(OneMinus(t)), b.std*b.std), Square(t)), Square(gamma.Gamma(t)))
		away := Div(Sub(x, MulScalar(OneMinus(t), b.mean)), variance)
		return AddScalar(Mul(shape.Lift(covariance(t), x), away), mean)
	}}
}

func (b bridge) noise(gamma interpolant.Gamma) field.Field { return b.given(gamma, 0, gamma.Gamma) }

func (b bridge) velocity(gamma interpolant.Gamma) field.Field {
	return b.given(gamma, -b.mean, func(t *Node) *Node { return Sub(t, MulScalar(OneMinus(t), b.std*b.std)) })
}

func (b bridge) score(gamma interpolant.Gamma) field.Field {
	return b.given(gamma, 0, func(t *Node) *Node { return MulScalar(OnesLike(t), -1) })
}

// The drift is the mean of dx_t/dt given x_t. Draws of the interpolant say so: a normal
// pair's conditional mean is its regression line, which 400,000 draws give to a standard
// error below 0.01. The fields must agree within 5 standard errors at each of 2 times and
// 3 points, in each of three ways to form them (a false alarm in 90,000 runs); the
// opposite sign of the score, which some codes have, is off by dozens.
func TestDriftIsTheMeanVelocity(t *testing.T) {
	b, gamma := bridge{mean: 1.5, std: 0.8}, interpolant.ScaledBrownian{Scale: 2}
	times, points := []float64{0.2, 0.7}, []float64{-1, 0.5, 2}
	const draws = 400_000
	random := rand.New(rand.NewPCG(7, 11))
	x0, x1, z := make([]float64, draws), make([]float64, draws), make([]float64, draws)
	for i := range draws {
		x0[i], x1[i], z[i] = b.mean+b.std*random.NormFloat64(), random.NormFloat64(), random.NormFloat64()
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, at := range times {
			out, err := CallOnceN(backend, func(x0, x1, z, t *Node) []*Node {
				in := interpolant.Interpolant{Gamma: gamma}
				return []*Node{in.Point(x0, x1, z, t), in.Velocity(x0, x1, z, t)}
			}, x0, x1, z, at)
			if err != nil {
				t.Fatal(err)
			}
			want, deviation := regress(values(out[0]), values(out[1]), points)

			drift := func(score field.Field) field.Field {
				return interpolant.DriftFromVelocityScore{Velocity: b.velocity(gamma), Score: score, Gamma: gamma}
			}
			noise := interpolant.ScoreFromNoise{Noise: b.noise(gamma), Gamma: gamma}
			opposite := field.Func{Rank: 0, F: func(scope *model.Scope, x, t, c *Node) *Node {
				return Neg(field.Call(noise, scope, x, t, c))
			}}
			got, err := model.CallOnceN(backend, model.NewStore(), func(scope *model.Scope, x, t *Node) (out []*Node) {
				for _, f := range []field.Field{
					drift(b.score(gamma)), drift(noise), drift(opposite),
					interpolant.MirrorVelocityFromScore{Score: noise, Gamma: gamma},
					b.velocity(gamma),
				} {
					out = append(out, field.Call(f, scope, x, t, nil))
				}
				return out
			}, points, at)
			if err != nil {
				t.Fatal(err)
			}
			mirror, velocity := values(got[3]), values(got[4])
			for i, x := range points {
				for k, v := range []float64{values(got[0])[i], values(got[1])[i], velocity[i] + mirror[i]} {
					if math.Abs(v-want[i]) > 5*deviation[i] {
						t.Errorf("t=%v, x=%v, way %d: the drift is %v, and the draws' mean velocity %v ± %v", at, x, k, v, want[i], deviation[i])
					}
				}
			}
			if v := values(got[2])[2]; math.Abs(v-want[2]) < 20*deviation[2] {
				t.Errorf("t=%v: with the opposite sign the drift is %v, and the draws' mean velocity %v ± %v: too close to tell", at, v, want[2], deviation[2])
			}
		}
	})
}

// regress returns the regression line of y on x at points, and its standard errors.
func regress(x, y, points []float64) (line, deviation []float64) {
	n := float64(len(x))
	var mx, my, xx, xy, yy float64
	for i := range x {
		mx, my = mx+x[i]/n, my+y[i]/n
	}
	for i := range x {
		dx, dy := x[i]-mx, y[i]-my
		xx, xy, yy = xx+dx*dx, xy+dx*dy, yy+dy*dy
	}
	residual := (yy - xy*xy/xx) / (n - 2)
	for _, p := range points {
		line = append(line, my+xy/xx*(p-mx))
		deviation = append(deviation, math.Sqrt(residual*(1/n+(p-mx)*(p-mx)/xx)))
	}
	return line, deviation
}

// A score from noise is the gradient of the log density, up to the end itself.
func TestScoreFromNoise(t *testing.T) {
	b := bridge{mean: -0.4, std: 1.3}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, gamma := range []interpolant.Gamma{interpolant.Brownian{}, interpolant.ScaledBrownian{Scale: 0.5}} {
			out, err := model.CallOnceN(backend, model.NewStore(), func(scope *model.Scope, x, t *Node) []*Node {
				variance := Add(Add(MulScalar(Square(OneMinus(t)), b.std*b.std), Square(t)), Square(gamma.Gamma(t)))
				logp := MulScalar(Div(Square(Sub(x, MulScalar(OneMinus(t), b.mean))), variance), -0.5)
				f := interpolant.ScoreFromNoise{Noise: b.noise(gamma), Gamma: gamma}
				return []*Node{field.Call(f, scope, x, t, nil), Gradient(ReduceAllSum(logp), x)[0]}
			}, []float64{-2, 0, 0.3, 1, 5, 1}, []float64{0.01, 0.2, 0.5, 0.8, 0.99, 1})
			if err != nil {
				t.Fatal(err)
			}
			if !out[0].InDelta(out[1], 1e-10) {
				t.Errorf("%v: the score is %v, expected %v", gamma, out[0], out[1])
			}
		}
	})
}

func TestFieldMisuse(t *testing.T) {
	vector := field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return x }}
	scalar := field.Func{Rank: 0, F: vector.F}
	for want, f := range map[string]field.Field{
		"the gamma is Zero: without latent noise": interpolant.ScoreFromNoise{Noise: vector, Gamma: interpolant.Zero{}},
		"the field is nil":                        interpolant.MirrorVelocityFromScore{Gamma: interpolant.Brownian{}},
		"field: the field is nil":                 interpolant.ScoreFromNoise{Gamma: interpolant.Brownian{}},
		"the field is nil: give a network":        interpolant.DriftFromVelocityScore{Velocity: vector, Gamma: interpolant.Brownian{}},
		"the gamma is nil":                        interpolant.ScoreFromNoise{Noise: vector},
		"Scale is 0":                              interpolant.MirrorVelocityFromScore{Score: vector, Gamma: interpolant.ScaledBrownian{}},
		"the velocity's events have rank 1, the score's 0: they must be": interpolant.DriftFromVelocityScore{Velocity: vector, Score: scalar, Gamma: interpolant.Brownian{}},
	} {
		_, err := model.CallOnce(gomlxtest.Go(t), model.NewStore(), func(scope *model.Scope, x, at *Node) *Node {
			return field.Call(f, scope, x, at, nil)
		}, [][]float64{{1, 2}}, 0.5)
		gomlxtest.Says(t, fmt.Sprint(f), err, want)
		err = field.Validate(f)
		gomlxtest.Says(t, fmt.Sprint("Validate of ", f), err, want)
	}
}

package tests

import (
	"context"
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// One field serves every process: what predicts the noise of a diffusion, here the exact
// one for data N(mean, std²), samples as a flow, in its own schedule and in others. In
// compiled loops, on events of rank 2, with a schedule in closed form and one of the
// user's.
func TestOneFieldEveryProcess(t *testing.T) {
	const mean, std = 0.5, 0.4
	noise := func(s schedule.Schedule) field.Field {
		return field.Func{Rank: 2, F: func(_ *model.Scope, x, t, _ *Node) *Node {
			alpha, sigma := shape.Lift(s.Alpha(t), x), shape.Lift(s.Sigma(t), x)
			variance := Add(MulScalar(Square(alpha), std*std), Square(sigma))
			return Div(Mul(sigma, Sub(x, MulScalar(alpha, mean))), variance)
		}}
	}
	vp, own := schedule.VP{}, ornsteinUhlenbeck{rate: 5}
	fields := map[string]field.Field{
		"VP":                    schedule.Converted{Field: noise(vp), Schedule: vp, From: schedule.Eps, To: schedule.Velocity},
		"VP changed to linear":  schedule.Rescheduled{Field: noise(vp), From: vp, To: schedule.Linear{}, As: schedule.Velocity},
		"own changed to cosine": schedule.Rescheduled{Field: noise(own), From: own, To: schedule.Cosine{}, As: schedule.Velocity},
	}
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		z := []float64{-2, -1, 0, 0.5, 1, 2}
		for name, f := range fields {
			for _, dtype := range bothDTypes {
				flow := nami.FlowMatching{Field: f, Base: distribution.NewStandardNormal(2, 3), Solver: solver.RK4(200)}
				process, err := flow.Bind(backend, model.NewStore(), nil, nami.DType(dtype))
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				got, err := process.SampleFrom(context.Background(), fromFloats(z, []int{1, 2, 3}, dtype))
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				for i, v := range toFloats(got) {
					if want := mean + std*z[i]; math.Abs(v-want) > 5e-3 {
						t.Errorf("%s, %s: from noise %v comes %v, expected %v", name, dtype, z[i], v, want)
					}
				}
			}
		}
	})
}

// ornsteinUhlenbeck has the four methods of a schedule and no more.
type ornsteinUhlenbeck struct{ rate float64 }

func (s ornsteinUhlenbeck) Alpha(t *Node) *Node { return Exp(MulScalar(t, -s.rate)) }

func (s ornsteinUhlenbeck) Sigma(t *Node) *Node { return Sqrt(OneMinus(Square(s.Alpha(t)))) }

func (s ornsteinUhlenbeck) Drift(x, _ *Node) *Node { return MulScalar(x, -s.rate) }

func (s ornsteinUhlenbeck) Diffusion(t *Node) *Node {
	return MulScalar(OnesLike(t), math.Sqrt(2*s.rate))
}

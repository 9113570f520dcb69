package tests

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/diagnostic"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/interpolant"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/toy"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// misuses are the reference's errors, and what it lets pass, by the names in
// errors.json. Each must be an error here, or else is in allowed or refusedByCompiler.
var misuses = map[string]func(m misuse) error{
	"VPSchedule(beta_min=0)":             func(misuse) error { return schedule.Validate(schedule.VP{BetaMax: 20}) },
	"VPSchedule(beta_min=2, beta_max=1)": func(misuse) error { return schedule.Validate(schedule.VP{BetaMin: 2, BetaMax: 1}) },
	"VPSchedule(beta_min=1, beta_max=1)": func(misuse) error { return schedule.Validate(schedule.VP{BetaMin: 1, BetaMax: 1}) },
	"VESchedule(sigma_min=0)":            func(misuse) error { return schedule.Validate(schedule.VE{SigmaMax: 50}) },
	"VESchedule(sigma_min=2, sigma_max=1)": func(misuse) error {
		return schedule.Validate(schedule.VE{SigmaMin: 2, SigmaMax: 1})
	},
	"EDMSchedule(sigma_min=-1)": func(misuse) error {
		return schedule.Validate(schedule.EDM{SigmaMin: -1, SigmaMax: 80, Rho: 7})
	},
	"EDMSchedule(sigma_min=2, sigma_max=1)": func(misuse) error {
		return schedule.Validate(schedule.EDM{SigmaMin: 2, SigmaMax: 1, Rho: 7})
	},
	"EDMSchedule(rho=0)":            func(misuse) error { return schedule.Validate(schedule.EDM{SigmaMin: 0.002, SigmaMax: 80}) },
	"ScaledBrownianGamma(scale=0)":  func(misuse) error { return interpolant.Validate(interpolant.ScaledBrownian{}) },
	"ScaledBrownianGamma(scale=-1)": func(misuse) error { return interpolant.Validate(interpolant.ScaledBrownian{Scale: -1}) },

	"RK4(steps=0)":           func(m misuse) error { return m.bind(nami.FlowMatching{Field: still(1), Solver: solver.RK4(0)}, nil) },
	"Heun(steps=-1)":         func(m misuse) error { return m.bind(nami.FlowMatching{Field: still(1), Solver: solver.Heun(-1)}, nil) },
	"EulerMaruyama(steps=0)": func(misuse) error { return solver.EulerMaruyama(0).Validate() },
	"RK4().integrate(..., steps=-1)": func(m misuse) error {
		return m.graph(func(in []*Node) *Node {
			return solver.Unroll(solver.RK4(-1), solver.System{Drift: func(y []*Node, _ *Node) []*Node { return y }}, in, 0, 1, nil)[0]
		}, []int{4, 2})
	},
	"RK4(32).integrate(..., steps=0)": func(m misuse) error {
		return m.graph(func(in []*Node) *Node {
			return solver.Unroll(solver.RK4(0), solver.System{Drift: func(y []*Node, _ *Node) []*Node { return y }}, in, 0, 1, nil)[0]
		}, []int{4, 2})
	},

	"HutchinsonDivergence(probe='uniform')": func(misuse) error { return divergence.Hutchinson{Probe: 2}.Check([]int{2}) },
	"ExactDivergence(max_dim=1) on an event of 2": func(misuse) error {
		return divergence.Exact{MaxSize: 1}.Check([]int{2})
	},

	"fm_loss(reduction='max')": func(m misuse) error {
		return m.graph(func(in []*Node) *Node {
			return loss.FM{Field: still(1), Reduction: 7}.Loss(m.scope(), loss.Batch{X: in[0]})
		}, []int{4, 2})
	},
	"fm_loss with t (3,) for lead (4,)":                   func(m misuse) error { return m.loss(still(1), []int{4, 2}, []int{4, 2}, []int{3}) },
	"fm_loss of an empty batch":                           func(m misuse) error { return m.loss(still(1), []int{0, 2}, []int{0, 2}, []int{0}) },
	"fm_loss of a field that returns (4, 1) for x (4, 2)": func(m misuse) error { return m.loss(summing(true), []int{4, 2}, []int{4, 2}, []int{4}) },
	"fm_loss of a field that returns (4,) for x (4, 1)":   func(m misuse) error { return m.loss(summing(false), []int{4, 1}, []int{4, 1}, []int{4}) },
	"fm_loss with x_source (2,) for x_target (4, 2)":      func(m misuse) error { return m.loss(still(1), []int{4, 2}, []int{2}, []int{4}) },
	"fm_loss with x_source (3, 4, 2) for x_target (4, 2)": func(m misuse) error { return m.loss(still(1), []int{4, 2}, []int{3, 4, 2}, []int{4}) },
	"stochastic_fm_loss with z of another shape": func(m misuse) error {
		return m.graph(func(in []*Node) *Node {
			x, z := in[0], Zeros(in[0].Graph(), shapes.Make(dtypes.Float32, 4, 3))
			return loss.Interpolant{Field: still(1)}.PerEvent(m.scope(), loss.Batch{X: x, Source: x}, ScalarZero(x.Graph(), dtypes.Float32), z)
		}, []int{4, 2})
	},
	"masked_fm_loss with event_ndim 1":                 func(m misuse) error { return m.maskedLoss(1, []int{4, 2}, []int{4, 2}) },
	"masked_fm_loss with 3 mask entries for 2 objects": func(m misuse) error { return m.maskedLoss(2, []int{4, 2, 2}, []int{4, 3}) },
	"masked_sample with mask (4, 1) for 2 objects":     func(m misuse) error { return m.masked([]int{4, 1}) },

	"LinearPath.sample_xt with t (4,) for x (4, 4, 2)": func(m misuse) error {
		// A path doesn't know the event's rank; the losses, which do, call it.
		return m.loss(still(1), []int{4, 4, 2}, []int{4, 4, 2}, []int{4})
	},
	"LinearPath.sample_xt with t (4, 1) for x (4, 2)": func(m misuse) error {
		return m.graph(func(in []*Node) *Node {
			return path.Linear{}.Point(in[0], in[0], Zeros(in[0].Graph(), shapes.Make(dtypes.Float32, 4, 1)))
		}, []int{4, 2})
	},

	"FlowMatching with field.event_ndim 2 and base event shape (2,)": func(m misuse) error {
		return m.bind(nami.FlowMatching{Field: still(2), Solver: solver.RK4(2)}, nil)
	},
	"FlowMatching with base batch shape (3,) and context (4, 3)": func(m misuse) error {
		return m.bind(nami.FlowMatching{Field: still(1), Base: distribution.NewStandardNormal(2).Expand(3), Solver: solver.RK4(2)}, m.zeros(4, 3))
	},
	"FlowMatching.log_prob without estimator for a field without divergence": func(m misuse) error {
		_, err := m.process(nil).LogProb(context.Background(), m.zeros(4, 2), nil)
		return err
	},
	"FlowMatching.sample with the SDE solver EulerMaruyama": func(m misuse) error {
		return m.bind(nami.FlowMatching{Field: still(1), Solver: solver.EulerMaruyama(2)}, nil)
	},
	"FlowMatching.log_prob of x (7, 2) with context (4, 3)": func(m misuse) error {
		_, err := m.process(m.zeros(4, 3)).LogProb(context.Background(), m.zeros(7, 2), divergence.Exact{})
		return err
	},

	"Diffusion without base and event_shape": func(m misuse) error {
		_, err := nami.Diffusion{Field: still(1), Schedule: schedule.VP{}, Solver: solver.Heun(2)}.Bind(m.backend, model.NewStore(), nil)
		return err
	},
	"Diffusion with model.event_ndim 2 and event_shape (2,)": func(m misuse) error {
		_, err := nami.Diffusion{Field: still(2), Schedule: schedule.VP{}, Solver: solver.Heun(2), EventShape: []int{2}}.Bind(m.backend, model.NewStore(), nil)
		return err
	},
	"DiffusionProcess.rsample with EulerMaruyama": func(m misuse) error {
		d := nami.Diffusion{Field: still(1), Schedule: schedule.VP{}, Solver: solver.EulerMaruyama(2), EventShape: []int{2}}
		return m.graph(func(in []*Node) *Node {
			return d.Sample(m.scope(), in[0].Graph(), dtypes.Float32, nil, 4)
		}, []int{4, 2})
	},

	"DiagonalNormal with a zero scale":     func(m misuse) error { return diagonal(0) },
	"DiagonalNormal with a negative scale": func(m misuse) error { return diagonal(-1) },
	"StandardNormal((2,)).log_prob of shape (5, 3)": func(m misuse) error {
		return m.graph(func(in []*Node) *Node { return distribution.NewStandardNormal(2).LogProb(in[0]) }, []int{5, 3})
	},
	"StandardNormal((2,)).log_prob of shape (5, 1)": func(m misuse) error {
		return m.graph(func(in []*Node) *Node { return distribution.NewStandardNormal(2).LogProb(in[0]) }, []int{5, 1})
	},
	"StandardNormal((2,)).log_prob of NaN": func(m misuse) error {
		nan := tensors.FromFlatDataAndDimensions([]float32{1, float32(math.NaN())}, 1, 2)
		_, err := m.process(nil).LogProb(context.Background(), nan, divergence.Exact{})
		return err
	},
	"field_stats of x (5, 2) with t (4,)": func(m misuse) error {
		_, err := diagnostic.Norm(m.backend, nil, still(1), m.zeros(5, 2), m.zeros(4), nil)
		return err
	},
	"divergence_stats without estimator for a field without divergence": func(m misuse) error {
		_, err := diagnostic.Divergence(m.backend, nil, still(1), m.zeros(5, 2), m.zeros(5), nil, nil, 0)
		return err
	},

	"Checkerboard(cells=0).generate(3)": func(misuse) error { _, err := toy.Checkerboard{Cells: -1}.Sample(1, 3); return err },
	"TwoMoons(noise=-1).generate(3)":    func(misuse) error { _, err := toy.TwoMoons{Noise: -1}.Sample(1, 3); return err },
	"TwoMoons().generate(-1)":           func(misuse) error { _, err := toy.TwoMoons{}.Sample(1, -1); return err },
	"GaussianMixture().generate(10, sig_frac=1.5)": func(misuse) error {
		_, err := toy.SignalAndBackground(1.5).Sample(1, 10)
		return err
	},
}

// allowed work here; the reference fails, or refuses them, for no good reason.
var allowed = map[string]func(m misuse) error{
	"ExactDivergence on a nonlinear field with an event of 2 or more": func(m misuse) error {
		return m.graph(func(in []*Node) *Node {
			_, div := divergence.Exact{}.Estimate(Square, in[0], 1, nil)
			return div
		}, []int{4, 3})
	},
	"ExactDivergence on a field that does not depend on x": func(m misuse) error {
		return m.graph(func(in []*Node) *Node {
			_, div := divergence.Exact{}.Estimate(OnesLike, in[0], 1, nil)
			return div
		}, []int{4, 3})
	},
	"VPSchedule.drift with x (3, 3) and t (3,)": func(m misuse) error { return m.drift(3) },
	"VPSchedule.drift with x (5, 3) and t (5,)": func(m misuse) error { return m.drift(5) },
	"Diffusion(parameterization='v')": func(m misuse) error {
		_, err := nami.Diffusion{Field: still(1), Prediction: schedule.V, Schedule: schedule.VP{}, Solver: solver.Heun(2), EventShape: []int{2}}.Bind(m.backend, model.NewStore(), nil)
		return err
	},
	"Diffusion with VPSchedule, an ODE solver and the default t1=0": func(m misuse) error {
		process, err := nami.Diffusion{Field: still(1), Schedule: schedule.VP{}, Solver: solver.RK4(50), EventShape: []int{2}}.Bind(m.backend, model.NewStore(), nil)
		if err == nil {
			_, err = process.Sample(context.Background(), 4) // an error unless all are finite
		}
		return err
	},
	// One mask for each of four events, and a base for all of them: a mask is a batch.
	"masked_sample with mask (4, 2) and a base without batch shape": func(m misuse) error { return m.masked([]int{4, 2}) },
}

// refusedByCompiler have no counterpart: a field without an event rank isn't one.
var refusedByCompiler = map[string]bool{
	"ExactDivergence on a field without event_ndim":                        true,
	"fm_loss of a field without event_ndim":                                true,
	"masked_fm_loss of a field without event_ndim":                         true,
	"FlowMatching(...)(None) without event_ndim anywhere":                  true,
	"field_stats of a field without event_ndim":                            true,
	"FlowMatching(event_ndim=1) with a field without event_ndim: log_prob": true,
}

// Each misuse that the reference knows, and each that it lets pass in silence, is an
// error; what it wrongly refuses works.
func TestGoldenErrors(t *testing.T) {
	g := readGolden(t, "errors")
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		m := misuse{backend}
		for _, c := range g.Cases {
			refused, works := misuses[c.Name], allowed[c.Name]
			switch {
			case refused != nil:
				if err := refused(m); err == nil {
					t.Errorf("%s is no error", c.Name)
				}
			case works != nil:
				if err := works(m); err != nil {
					t.Errorf("%s: %v", c.Name, err)
				}
			case !refusedByCompiler[c.Name]:
				t.Errorf("%s isn't tested", c.Name)
			}
		}
	})
}

// misuse has what the cases share.
type misuse struct{ backend compute.Backend }

func (misuse) zeros(dims ...int) *tensors.Tensor {
	return tensors.FromShape(shapes.Make(dtypes.Float32, dims...))
}

func (misuse) scope() *model.Scope { return model.NewStore().RootScope() }

// graph runs f on zeros of these shapes.
func (m misuse) graph(f func(in []*Node) *Node, inputs ...[]int) error {
	c, err := nami.NewComputation(m.backend, nil, func(_ *model.Scope, in []*Node) []*Node { return []*Node{f(in)} })
	if err == nil {
		var in []*tensors.Tensor
		for _, dims := range inputs {
			in = append(in, m.zeros(dims...))
		}
		_, err = c.Call(in...)
	}
	return err
}

func (m misuse) loss(f field.Field, target, source, t []int) error {
	return m.graph(func(in []*Node) *Node {
		return loss.FM{Field: f}.PerEvent(m.scope(), loss.Batch{X: in[0], Source: in[1]}, in[2])
	}, target, source, t)
}

func (m misuse) maskedLoss(rank int, x, mask []int) error {
	return m.graph(func(in []*Node) *Node {
		g := in[0].Graph()
		b := loss.Batch{X: in[0], Source: in[0], Mask: Ones(g, shapes.Make(dtypes.Float32, mask...))}
		return loss.FM{Field: still(rank)}.PerEvent(m.scope(), b, ScalarZero(g, dtypes.Float32))
	}, x)
}

func (m misuse) masked(mask []int) error {
	flow := nami.FlowMatching{Field: still(2), Base: distribution.NewStandardNormal(2, 2), Solver: solver.RK4(2)}
	process, err := flow.Bind(m.backend, model.NewStore(), nil)
	if err == nil {
		process, err = process.Masked(m.zeros(mask...))
	}
	if err == nil {
		_, err = process.Sample(context.Background(), 3)
	}
	return err
}

func (m misuse) bind(flow nami.FlowMatching, c *tensors.Tensor) error {
	if flow.Base == nil {
		flow.Base = distribution.NewStandardNormal(2)
	}
	_, err := flow.Bind(m.backend, model.NewStore(), c)
	return err
}

func (m misuse) process(c *tensors.Tensor) *nami.Process {
	flow := nami.FlowMatching{Field: still(1), Base: distribution.NewStandardNormal(2), Solver: solver.RK4(2)}
	process, err := flow.Bind(m.backend, model.NewStore(), c)
	if err != nil {
		panic(fmt.Errorf("a good flow can't be bound: %w", err))
	}
	return process
}

func (m misuse) drift(n int) error {
	return m.graph(func(in []*Node) *Node {
		return schedule.VP{}.Drift(in[0], ReduceSum(in[0], -1))
	}, []int{n, 3})
}

func diagonal(scale float64) error {
	_, err := distribution.Isotropic(0, scale, 2)
	return err
}

// still is a field of that event rank which is zero.
func still(rank int) field.Field {
	return field.Func{Rank: rank, F: func(_ *model.Scope, x, _, _ *Node) *Node { return ZerosLike(x) }}
}

// summing is a field that forgets the event's shape.
func summing(keep bool) field.Field {
	return field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node {
		if keep {
			return ReduceAndKeep(x, ReduceSum, -1)
		}
		return ReduceSum(x, -1)
	}}
}

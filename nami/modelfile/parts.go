package modelfile

import (
	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/embedding"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/interpolant"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/transform"
)

// ours are the names of nami's own parts, with a value of each type. Files hold the names: none
// may change.
var ours = map[string]any{
	"nami.FlowMatching": nami.FlowMatching{},
	"nami.Diffusion":    nami.Diffusion{},

	"field.MLP":           field.MLP{},
	"field.Residual":      field.Residual{},
	"field.DeepSet":       field.DeepSet{},
	"field.Transformer":   field.Transformer{},
	"field.DiT":           field.DiT{},
	"field.UNet":          field.UNet{},
	"field.Embedded":      field.Embedded{},
	"field.Scoped":        field.Scoped{},
	"field.Guided":        field.Guided{},
	"field.Unconditional": field.Unconditional{},

	"embedding.MLP":     embedding.MLP{},
	"embedding.Classes": embedding.Classes{},
	"embedding.Series":  embedding.Series{},
	"embedding.Image":   embedding.Image{},
	"embedding.Set":     embedding.Set{},
	"embedding.Parts":   embedding.Parts{},

	"schedule.VP":             schedule.VP{},
	"schedule.VE":             schedule.VE{},
	"schedule.EDM":            schedule.EDM{},
	"schedule.Cosine":         schedule.Cosine{},
	"schedule.Linear":         schedule.Linear{},
	"schedule.Converted":      schedule.Converted{},
	"schedule.Rescheduled":    schedule.Rescheduled{},
	"schedule.Preconditioned": schedule.Preconditioned{},

	"path.Linear":    path.Linear{},
	"path.Cosine":    path.Cosine{},
	"path.Scheduled": path.Scheduled{},

	"interpolant.Brownian":                interpolant.Brownian{},
	"interpolant.ScaledBrownian":          interpolant.ScaledBrownian{},
	"interpolant.Zero":                    interpolant.Zero{},
	"interpolant.Bridge":                  interpolant.Bridge{},
	"interpolant.ScoreFromNoise":          interpolant.ScoreFromNoise{},
	"interpolant.DriftFromVelocityScore":  interpolant.DriftFromVelocityScore{},
	"interpolant.MirrorVelocityFromScore": interpolant.MirrorVelocityFromScore{},

	"distribution.StandardNormal":  distribution.StandardNormal{},
	"distribution.DiagonalNormal":  distribution.DiagonalNormal{},
	"distribution.Uniform":         distribution.Uniform{},
	"distribution.GaussianMixture": distribution.GaussianMixture{},
	"distribution.LearnedNormal":   distribution.LearnedNormal{},

	"solver.Tableau":       solver.Tableau{},
	"solver.LMS":           solver.LMS(1, 1).Method,
	"solver.DPM2":          solver.DPM2(1).Method,
	"solver.DPMSolverPP2S": solver.DPMSolverPP2S(1).Method,
	"solver.Exponential":   solver.DPMSolverPP2M(1).Method,
	"solver.DDIM":          solver.DDIM(0, 1).Method,
	"solver.Churn":         solver.Churn{},
	"solver.AdditiveNoise": solver.SRA1(1).Method,
	"solver.DiagonalNoise": solver.Milstein(1).Method,
	"solver.Even":          solver.Even{},
	"solver.Power":         solver.Power{},
	"solver.Shifted":       solver.Shifted{},
	"solver.Logit":         solver.Logit{},
	"solver.Angle":         solver.Angle{},
	"solver.Karras":        solver.Karras{},
	"solver.LogSNR":        solver.LogSNR{},
	"solver.Times":         solver.Times{},

	"transform.Standardize": transform.Standardize{},
	"transform.Whiten":      transform.Whiten{},
	"transform.Logarithm":   transform.Logarithm{},
	"transform.Logit":       transform.Logit{},
	"transform.Probit":      transform.Probit{},
	"transform.Asinh":       transform.Asinh{},
	"transform.Circle":      transform.Circle{},
	"transform.Dequantize":  transform.Dequantize{},
	"transform.Chain":       transform.Chain{},
	"transform.Columns":     transform.Columns{},
}

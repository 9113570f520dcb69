package path

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/schedule"

	. "github.com/gomlx/gomlx/core/graph"
)

// Scheduled is the path of a diffusion schedule, x_t = α(t)·target + σ(t)·source: a
// velocity that is learned along it with normal noise is that of the diffusion's
// probability-flow ODE, and converts to its other predictions (see [schedule.Convert]).
//
// The velocity of [schedule.VP] grows as 1/√t towards the data, where its square has no
// finite mean: along that path, learn the noise, or v, and convert.
//
// Where the schedule doesn't reach pure data or pure noise, the path doesn't either: that of
// [schedule.VE] ends at the target plus SigmaMax times the source.
type Scheduled struct {
	// Schedule gives α and σ.
	Schedule schedule.Schedule
}

// Point implements [Path].
func (p Scheduled) Point(target, source, t *Node) *Node { return p.affine().Point(target, source, t) }

// Velocity implements [Path].
func (p Scheduled) Velocity(target, source, t *Node) *Node {
	return p.affine().Velocity(target, source, t)
}

func (p Scheduled) affine() Affine {
	if err := schedule.Validate(p.Schedule); err != nil {
		panic(err)
	}
	return Affine{
		Alpha: p.Schedule.Alpha, Sigma: p.Schedule.Sigma,
		AlphaDot: func(t *Node) *Node { return schedule.AlphaDot(p.Schedule, t) },
		SigmaDot: func(t *Node) *Node { return schedule.SigmaDot(p.Schedule, t) },
	}
}

// String describes the path on one line.
func (p Scheduled) String() string { return fmt.Sprintf("Scheduled{%v}", p.Schedule) }

// Cosine is the quarter circle x_t = cos(πt/2)·target + sin(πt/2)·source, which keeps the
// variance if both ends have the same one (Albergo & Vanden-Eijnden 2023,
// arXiv:2209.15571). It is the path of [schedule.Cosine].
type Cosine struct{}

// Point implements [Path].
func (Cosine) Point(target, source, t *Node) *Node { return cosine.Point(target, source, t) }

// Velocity implements [Path].
func (Cosine) Velocity(target, source, t *Node) *Node { return cosine.Velocity(target, source, t) }

// String names the path.
func (Cosine) String() string { return "Cosine" }

var cosine = Scheduled{schedule.Cosine{}}

package loss

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Pool says how many events of a batch share their targets in training; the zero value is the
// usual number. The point x_t = αx + σε that a field sees could have come from other events of
// the batch, too, with other noise. Given the batch and x_t, event j was the one with the
// probability
//
//	p_j ∝ w_j·N(x_t; αx_j, σ²)
//
// so the target, which is linear in x and ε, can be replaced by its mean over j. By the tower
// rule the mean of the gradient over noise stays what it was, for every batch, and its variance
// becomes less (Rao & Blackwell; Xu et al. 2023, arXiv:2302.00670, who take it for the
// score of a diffusion). In few dimensions that is worth several times the steps.
//
// Only the gradient changes: the value of a loss is that of each event's own target, so losses
// compare as before. Only events with the same context and the same mask share; continuous
// contexts, which no two events have in common, gain nothing. An event has its own target where
// its batch has a given source (paired or coupled events), where the base isn't the standard
// normal, where the path isn't affine, where events are themselves computed from weights that
// learn, and next to a negative weight. A loss that isn't asked for its gradient, as when it is
// evaluated, does without.
type Pool int

// Own is the [Pool] in which each event has its own target, as the papers have it.
const Own Pool = 1

// Validate reports a negative number.
func (p Pool) Validate() error {
	if p < 0 {
		return fmt.Errorf("loss: Pool is %d: give the number of events that share their targets, loss.Own for none, or 0 for the usual number", int(p))
	}
	return nil
}

// String is the number of events.
func (p Pool) String() string {
	if p == 0 {
		return "usual pool"
	}
	return fmt.Sprintf("pool %d", int(p))
}

// size is the number of events of n, with so many values each, that share. The usual number
// costs a few percent of what a small network does; events of many values are so far from each
// other that they have little to share.
func (p Pool) size(n, values int) int {
	switch {
	case p != 0:
		return min(n, int(p))
	case values > 256:
		return 1
	}
	return min(n, 512, 4096/values)
}

// ends are the data and the noise that targets are made of.
type ends struct{ data, noise *Node }

// origin is where the events of a batch came to x_t from.
type origin struct {
	batch Batch
	times *Node             // t, a scalar or lead
	base  distribution.Base // of the source; nil for the standard normal
	given bool              // whether the batch came with its source
	mixes schedule.Schedule // α and σ; nil if the path isn't affine
}

// of is what miss makes of the events' own ends, with the gradient of what it makes of shared ones.
func (p Pool) of(scope *model.Scope, f field.Field, o origin, miss func(ends) *Node) *Node {
	if err := p.Validate(); err != nil {
		panic(err)
	}
	own := miss(ends{o.batch.X, o.batch.Source})
	if !p.shares(scope, f, o) {
		return own
	}
	shared := miss(p.share(f, o))
	return Add(StopGradient(Sub(own, shared)), shared)
}

// shares tells whether there is anything to share.
func (p Pool) shares(scope *model.Scope, f field.Field, o origin) bool {
	_, normal := o.base.(distribution.StandardNormal)
	normal = normal || o.base == nil
	x := o.batch.X
	_, event := split(f, o.batch)
	return normal && !o.given && o.mixes != nil && scope.IsTraining(x.Graph()) &&
		p.size(x.Shape().Size()/shape.Size(event), shape.Size(event)) > 1 && !gomlx.Learns(scope, x)
}

// share returns the mean ends of all events of a pool that could have come to the x_t of each.
func (p Pool) share(f field.Field, o origin) ends {
	b := o.batch
	lead, event := split(f, b)
	values := shape.Size(event)
	r := newRows(shape.Size(lead), p.size(shape.Size(lead), values))
	x, noise := r.split(b.X, values), r.split(b.Source, values)
	perRow := func(v *Node) *Node { return r.split(shape.Expand(v, lead, 0), 1) }
	ratio := Div(perRow(o.mixes.Alpha(o.times)), gomlx.AwayFromZero(perRow(o.mixes.Sigma(o.times))))

	logits := MulScalar(r.lengths(x, noise, ratio), -0.5)
	may := r.same(b)
	if b.Weight != nil {
		w := Transpose(r.split(b.Weight, 1), 1, 2) // [groups, 1, size]
		logits = Add(logits, Log(MaxScalar(w, 1e-30)))
		negative := ReduceAndKeep(LessThan(w, ScalarZero(w.Graph(), w.DType())), ReduceLogicalOr, -1)
		may = And(may, BroadcastToShape(Not(negative), may.Shape()))
	}
	logits = Where(Or(may, r.identity(x.Graph())), logits, ConstAs(logits, -1e30))
	weight := Exp(Sub(logits, ReduceAndKeep(logits, ReduceMax, -1)))
	weight = Div(weight, ReduceAndKeep(weight, ReduceSum, -1))
	off := Sub(Einsum("gij,gjd->gid", weight, x), x)
	// Where the noise is far below the distance of any two events, there is only rounding.
	off = Where(BroadcastToShape(GreaterThan(ratio, ConstAs(ratio, 1e4)), off.Shape()), ZerosLike(off), off)
	joined := func(v *Node) *Node { return StopGradient(r.join(v, b.X.Shape().Dimensions)) }
	return ends{Add(b.X, joined(off)), Sub(b.Source, joined(Mul(ratio, off)))}
}

package nami

import (
	"errors"
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// FMLoss is the conditional flow-matching loss (Lipman et al. 2023, arXiv:2210.02747,
// eq. 9): the mean over batch and event of |v(x_t, t, c) - dx_t/dt|², for x_t on a
// path between data and noise.
type FMLoss struct {
	// Field is the velocity that learns.
	Field field.Field

	// Path joins data and noise; [path.Linear] if nil.
	Path path.Path

	// Base draws the noise; the standard normal over the data's events if nil.
	Base distribution.Base

	// Reduction makes the loss of the events' losses: [Mean] if unset.
	Reduction Reduction
}

// Loss builds the loss of a batch: x is lead+event, c lead+[context_dim] or nil. It
// draws the noise, and a time for each event uniform on [0, 1), from the random state
// of scope's store. The result is a scalar. It panics on misuse.
func (l FMLoss) Loss(scope *model.Scope, x, c *Node) *Node {
	source, t := draw(scope, l.Field, l.Base, x, c)
	return l.Reduction.of(l.PerEvent(scope, x, source, t, c))
}

// LossFrom is [FMLoss.Loss] with a given source (noise) for each event, shaped like x: one
// that a coupling chose, or events of another distribution. Base isn't asked.
func (l FMLoss) LossFrom(scope *model.Scope, x, source, c *Node) *Node {
	if err := checkField(l.Field); err != nil {
		panic(err)
	}
	return l.Reduction.of(l.PerEvent(scope, x, source, times(scope, l.Field, x), c))
}

// PerEvent builds the loss of each event, its mean over the event's values: target
// and source are lead+event, t a scalar or lead, c lead+[context_dim] or nil; the
// result has the shape of the lead. It panics on misuse.
func (l FMLoss) PerEvent(scope *model.Scope, target, source, t, c *Node) *Node {
	checkBatch(l.Field, target, source, "source (noise)", t)
	p := orLinear(l.Path)
	point, velocity := p.Point(target, source, t), p.Velocity(target, source, t)
	v := field.Call(l.Field, scope, point, t, c)
	return perEvent(Square(Sub(v, velocity)), l.Field.EventRank())
}

// Eval computes the loss for given noise and times, with the weights that are in store:
// target and source are lead+event, t is a scalar or lead, context lead+[context_dim] or
// nil. Weights that the store lacks are an error, and so is what is not finite. It compiles
// at every call; a [Computation] doesn't.
func (l FMLoss) Eval(backend compute.Backend, store *model.Store, target, source, t, context *tensors.Tensor) (float64, error) {
	if err := checkField(l.Field); err != nil {
		return 0, err
	}
	in := []*tensors.Tensor{target, source, t}
	for i, tensor := range in {
		if tensor == nil {
			return 0, fmt.Errorf("nami.FMLoss: the %s is nil", evalInputs[i])
		}
	}
	if context != nil {
		in = append(in, context)
	}
	for i, tensor := range in {
		if err := checkFinite(evalInputs[i], tensor); err != nil {
			return 0, err
		}
	}
	f, err := NewComputation(backend, store, func(scope *model.Scope, in []*Node) []*Node {
		var c *Node
		if len(in) > 3 {
			c = in[3]
		}
		return []*Node{ConvertDType(l.Reduction.of(l.PerEvent(scope, in[0], in[1], in[2], c)), dtypes.Float64)}
	})
	if err != nil {
		return 0, err
	}
	out, err := f.Call(in...)
	if err != nil {
		return 0, err
	}
	defer finalize(out)
	loss := tensors.ToScalar[float64](out[0])
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return 0, fmt.Errorf("nami.FMLoss: the loss is %v, of events %s: the field's values overflow or are no numbers", loss, target.Shape())
	}
	return loss, nil
}

// evalInputs are what [FMLoss.Eval] calls its inputs.
var evalInputs = []string{"target", "source", "time", "context"}

// String describes the loss on one line, the same in every process.
func (l FMLoss) String() string {
	return fmt.Sprintf("FMLoss{%v, path %v, base %v, %v}", l.Field, l.Path, l.Base, l.Reduction)
}

// draw draws the noise of a batch and a time uniform on [0, 1) for each event.
func draw(scope *model.Scope, f field.Field, base distribution.Base, x, c *Node) (noise, t *Node) {
	if err := checkField(f); err != nil {
		panic(err)
	}
	lead, shape, err := shape.Split(x.Shape().Dimensions, f.EventRank())
	if err != nil {
		panic(fmt.Errorf("nami: the loss: x: %w", err))
	}
	if base == nil {
		base = distribution.NewStandardNormal(shape...)
	}
	noise = distribution.Given(base, scope, c).Sample(scope, x.Graph(), x.DType(), lead...)
	return noise, times(scope, f, x)
}

// times draws a time uniform on [0, 1) for each event.
func times(scope *model.Scope, f field.Field, x *Node) *Node {
	return scope.RandomUniform(x.Graph(), shapes.Make(x.DType(), shape.Lead(x, f.EventRank())...))
}

// checkBatch panics unless f can learn from the batch: other, called what, is shaped like
// the target, and t fits.
func checkBatch(f field.Field, target, other *Node, what string, t *Node) {
	if err := checkField(f); err != nil {
		panic(err)
	}
	rank := f.EventRank()
	shape.Lead(target, rank) // panics if there is no event
	if target.Shape().Size() == 0 {
		exceptions.Panicf("nami: the loss: the batch is empty: x is %s", target.Shape())
	}
	if !target.Shape().Equal(other.Shape()) {
		exceptions.Panicf("nami: the loss: the %s is %s, the target (data) %s: both must have one shape and dtype",
			what, other.Shape(), target.Shape())
	}
	field.CheckTime(t, target, rank)
}

// perEvent is the mean over each event's values.
func perEvent(values *Node, rank int) *Node {
	return ReduceMean(shape.Flatten(values, rank), -1)
}

func orLinear(p path.Path) path.Path {
	if p == nil {
		return path.Linear{}
	}
	return p
}

// checkField refuses a field that is missing, or incomplete.
func checkField(f field.Field) error {
	if f == nil {
		return errNoField
	}
	return field.Validate(f)
}

var errNoField = errors.New("nami: Field is nil: give the model a field, say field.MLP{EventShape: []int{2}}")

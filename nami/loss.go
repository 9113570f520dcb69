package nami

import (
	"errors"
	"fmt"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/event"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/path"

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
	Base distribution.Distribution
}

// Loss builds the loss of a batch: x is lead+event, c lead+[context_dim] or nil. It
// draws the noise, and a time for each event uniform on [0, 1), from the random state
// of scope's store. The result is a scalar. It panics on misuse.
func (l FMLoss) Loss(scope *model.Scope, x, c *Node) *Node {
	l.check()
	g, rank := x.Graph(), l.Field.EventRank()
	lead, shape, err := event.Split(x.Shape().Dimensions, rank)
	if err != nil {
		panic(fmt.Errorf("nami.FMLoss: x: %w", err))
	}
	base := l.Base
	if base == nil {
		base = distribution.NewStandardNormal(shape...)
	}
	source := base.Sample(scope, g, x.DType(), lead...)
	t := scope.RandomUniform(g, shapes.Make(x.DType(), lead...))
	return ReduceAllMean(l.PerEvent(scope, x, source, t, c))
}

// PerEvent builds the loss of each event, its mean over the event's values: target
// and source are lead+event, t a scalar or lead, c lead+[context_dim] or nil; the
// result has the shape of the lead. It panics on misuse.
func (l FMLoss) PerEvent(scope *model.Scope, target, source, t, c *Node) *Node {
	l.check()
	rank := l.Field.EventRank()
	event.Lead(target, rank) // panics if there is no event
	if target.Shape().Size() == 0 {
		exceptions.Panicf("nami.FMLoss: the batch is empty: x is %s", target.Shape())
	}
	if !target.Shape().Equal(source.Shape()) {
		exceptions.Panicf("nami.FMLoss: the source (noise) is %s, the target (data) %s: both must have one shape and dtype",
			source.Shape(), target.Shape())
	}
	field.CheckTime(t, target, rank)
	p := l.Path
	if p == nil {
		p = path.Linear{}
	}
	point, velocity := p.Point(target, source, t), p.Velocity(target, source, t)
	v := field.Call(l.Field, scope, point, t, c)
	return ReduceMean(event.Flatten(Square(Sub(v, velocity)), rank), -1)
}

// Eval computes the mean of [FMLoss.PerEvent] for given noise and times, with the
// weights that are in store: target and source are lead+event, t is a scalar or lead,
// context lead+[context_dim] or nil. Weights that the store lacks are an error.
func (l FMLoss) Eval(backend compute.Backend, store *model.Store, target, source, t, context *tensors.Tensor) (float64, error) {
	if l.Field == nil {
		return 0, errNoField
	}
	in := []any{target, source, t}
	if context != nil {
		in = append(in, context)
	}
	for i, tensor := range in {
		if tensor.(*tensors.Tensor) == nil {
			return 0, fmt.Errorf("nami.FMLoss: the %s is nil", []string{"target", "source", "time"}[i])
		}
	}
	known := variables(store)
	var loss float64
	err := gomlx.Try(func() error {
		out, err := model.CallOnce(backend, store, func(scope *model.Scope, in []*Node) *Node {
			var c *Node
			if len(in) > 3 {
				c = in[3]
			}
			mean := ReduceAllMean(l.PerEvent(scope, in[0], in[1], in[2], c))
			if err := missing(store, known); err != nil {
				panic(err)
			}
			return ConvertDType(mean, dtypes.Float64)
		}, in...)
		if err != nil {
			return err
		}
		loss = tensors.ToScalar[float64](out)
		return out.FinalizeAll()
	})
	return loss, err
}

func (l FMLoss) check() {
	if l.Field == nil {
		panic(errNoField)
	}
}

// String describes the loss on one line, the same in every process.
func (l FMLoss) String() string {
	return fmt.Sprintf("FMLoss{%v, path %T, base %v}", l.Field, l.Path, l.Base)
}

var errNoField = errors.New("nami: Field is nil: give the model a field, say field.MLP{EventShape: []int{2}}")

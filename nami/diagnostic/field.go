package diagnostic

import (
	"errors"
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Norm measures the length |f(x, t, c)| of a field's value for each event, with the weights
// in store (nil if the field has none). x is lead+event, t a scalar or of the lead's shape, and
// c is nil or batch+[context_dim], where the batch is the end of the lead and is repeated over
// the rest. Shapes that don't fit are an error, and so is a value that is not finite. It
// compiles at every call.
func Norm(backend compute.Backend, store *model.Store, f field.Field, x, t, c *tensors.Tensor) (Stats, error) {
	return measure("the field's norm", backend, store, f, x, t, c, 0, func(scope *model.Scope, x, t, c *Node, _ distribution.Random) *Node {
		v := shape.Flatten(field.Call(f, scope, x, t, c), f.EventRank())
		return Sqrt(ReduceSum(Square(v), -1))
	})
}

// Divergence measures the divergence ∇·f(x, t, c) for each event, for arguments as [Norm]
// has them. A nil estimator asks the field, which must be a [field.Divergent] with a closed
// form, and [divergence.Exact] asks any that knows its divergence (see [field.KnowsDivergence]);
// the random vectors of [divergence.Hutchinson] come from the seed.
func Divergence(backend compute.Backend, store *model.Store, f field.Field, x, t, c *tensors.Tensor, estimator divergence.Estimator, seed int64) (Stats, error) {
	ok := field.KnowsDivergence(f)
	if f != nil && estimator == nil && (!ok || field.CarriesTangents(f)) {
		return Stats{}, errors.New("diagnostic.Divergence: the estimator is nil, and the field doesn't know its divergence in closed form: use divergence.Exact{}, or a field.Divergent of your own")
	}
	return measure("the divergence", backend, store, f, x, t, c, seed, func(scope *model.Scope, x, t, c *Node, random distribution.Random) *Node {
		exact, is := estimator.(divergence.Exact)
		if estimator == nil || is && ok {
			field.CheckTime(t, x, f.EventRank())
			if is {
				if err := exact.Check(x.Shape().Dimensions[len(shape.Lead(x, f.EventRank())):]); err != nil {
					panic(err)
				}
			}
			_, div := field.CallWithDivergence(f.(field.Divergent), scope, x, t, c)
			return div
		}
		probes := divergence.Probes(estimator, random, x.Graph(), x.Shape(), f.EventRank())
		_, div := estimator.Estimate(func(x *Node) *Node { return field.Call(f, scope, x, t, c) }, x, f.EventRank(), probes)
		return div
	})
}

// measure sums up what build makes of each event, with random numbers of the seed.
func measure(what string, backend compute.Backend, store *model.Store, f field.Field, x, t, c *tensors.Tensor, seed int64, build func(scope *model.Scope, x, t, c *Node, random distribution.Random) *Node) (Stats, error) {
	if err := field.Validate(f); err != nil {
		return Stats{}, fmt.Errorf("diagnostic: %w", err)
	}
	if x == nil || t == nil {
		return Stats{}, errors.New("diagnostic: x or t is nil: give the events and a time, a scalar or one for each event")
	}
	if x.Size() == 0 {
		return Stats{}, fmt.Errorf("diagnostic: %s: there are no events: x is %s", what, x.Shape())
	}
	in := []*tensors.Tensor{x, t, gomlx.Key(seed, 0)}
	if c != nil {
		in = append(in, c)
	}
	computation, err := nami.NewComputation(backend, store, func(scope *model.Scope, in []*Node) []*Node {
		var c *Node
		if len(in) > 3 {
			c = shape.Expand(in[3], shape.Lead(in[0], f.EventRank()), field.ContextRank(f))
		}
		random := gomlx.NewCounter(in[2], Const(in[2].Graph(), uint32(0)))
		values := build(scope, in[0], in[1], c, random)
		if lead := shape.Lead(in[0], f.EventRank()); !slices.Equal(values.Shape().Dimensions, lead) {
			exceptions.Panicf("diagnostic: %s has shape %s for x of %s: expected one value for each event, of shape %s", what, values.Shape(), in[0].Shape(), shape.Format(lead))
		}
		return []*Node{ConvertDType(values, dtypes.Float64)}
	})
	if err != nil {
		return Stats{}, err
	}
	out, err := computation.Call(in...)
	if err != nil {
		return Stats{}, err
	}
	defer out[0].MustFinalizeAll()
	return statsOf(what, tensors.MustCopyFlatData[float64](out[0]))
}

package field

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/nami-flow/go-nami/nami/shape"
)

// Divergent is a field that knows its own divergence, in closed form or by a network that
// was built for it: exact log-densities ask it, and those without an estimator. [MLP] and
// [Residual] carry tangents forward, which costs less than a reverse pass for each value (see
// [CarriesTangents]); fields around them pass theirs on. Whether a field can be asked is what
// [KnowsDivergence] says.
type Divergent interface {
	Field

	// ApplyWithDivergence is Apply, and the trace of the value's derivative with respect
	// to x, of the lead's shape.
	ApplyWithDivergence(scope *model.Scope, x, t, c *Node) (value, divergence *Node)
}

// KnowsDivergence is true if f is [Divergent], and so are the fields that it wraps, if it is
// a [Wrapper]. It is false for a network whose activation isn't a function of each unit (SwiGLU),
// for a [Guided] field that rescales, and for a type that embeds one of this package's fields: its
// Apply may be another than the one whose divergence it has. With a mask (see [Masked]) it is
// true for this package's fields alone, as only these can leave out the padding.
func KnowsDivergence(f Field) bool {
	if _, ok := f.(Divergent); !ok {
		return false
	}
	switch f := f.(type) {
	case tracer:
		return f.carriesTangents(f)
	case Guided:
		if f.Rescale != 0 {
			return false
		}
	case Embedded, Scoped, Unconditional:
	case masked:
		switch f.Field.(type) {
		case MLP, Residual, Embedded, Scoped, Unconditional, Guided:
			return KnowsDivergence(f.Field)
		}
		return false
	case passing:
		return false
	}
	known := true
	inside(f, func(inner Field) { known = known && KnowsDivergence(inner) })
	return known
}

// CarriesTangents is true if f is a network of this package that carries tangents forward, or
// wraps one: its divergence costs the more the larger an event is, unlike a closed form.
func CarriesTangents(f Field) bool {
	switch f := f.(type) {
	case tracer:
		return true
	case masked:
		return CarriesTangents(f.Field)
	}
	carries := false
	inside(f, func(inner Field) { carries = carries || CarriesTangents(inner) })
	return carries
}

// inside calls look with each field that f wraps.
func inside(f Field, look func(inner Field)) {
	if w, ok := f.(Wrapper); ok {
		w.Map(func(inner Field) Field {
			look(inner)
			return inner
		})
	}
}

// tracer is a network that carries tangents.
type tracer interface {
	Field

	// withTrace is ApplyWithDivergence of the values that count: counted is of the shape of
	// the flattened x, 1 for a value that counts and 0 for padding; nil if all do.
	withTrace(scope *model.Scope, x, t, c, counted *Node) (value, trace *Node)

	// carriesTangents is true if f is this network, not a type that embeds it, and its
	// activation is one of each unit.
	carriesTangents(f Field) bool
}

// passing is a field that passes on the divergences of those that it wraps.
type passing interface{ passesOn() }

func (Embedded) passesOn()      {}
func (Scoped) passesOn()        {}
func (Unconditional) passesOn() {}
func (Guided) passesOn()        {}

// CallWithDivergence applies f with its divergence, after it has checked what goes in, and
// what comes out, as [Call] does.
func CallWithDivergence(f Divergent, scope *model.Scope, x, t, c *Node) (value, divergence *Node) {
	checkInputs(f, x, t, c)
	value, divergence = f.ApplyWithDivergence(scope.ResetVisited(), x, t, c)
	checkValue(f, value, x)
	lead := shape.Lead(x, f.EventRank())
	if !slices.Equal(divergence.Shape().Dimensions, lead) || divergence.DType() != x.DType() {
		exceptions.Panicf("field.CallWithDivergence: the field %T returned a divergence of %s for x of %s: it must have the shape of the lead %s and the dtype of x",
			f, divergence.Shape(), x.Shape(), shape.Format(lead))
	}
	return value, divergence
}

// callBoth is [Call], and [CallWithDivergence] where the divergence is wanted. Where it isn't,
// divergence is nil.
func callBoth(f Field, wanted bool, scope *model.Scope, x, t, c *Node) (value, divergence *Node) {
	if !wanted {
		return Call(f, scope, x, t, c), nil
	}
	known, ok := f.(Divergent)
	if !ok {
		exceptions.Panicf("field: the field %T doesn't know its divergence: ask KnowsDivergence first", f)
	}
	return CallWithDivergence(known, scope, x, t, c)
}

package field

// Wrapper is a field made of other fields, such as a conversion, or a scope around a network.
// With this method, a wrapper of your own passes on to the fields inside what the interface
// [Field] doesn't have: the rank of the context, and a mask.
type Wrapper interface {
	Field

	// Map returns the wrapper with each field inside replaced by f of it.
	Map(f func(Field) Field) Field
}

// ContextShape is the shape of one context of f, as f's own method ContextShape() []int says, or
// the first that says it of the fields that f wraps (see [Wrapper]). It is nil if f takes none, or
// doesn't say: a field needn't have the method, which loading a model without its training asks.
func ContextShape(f Field) (context []int) {
	switch f := f.(type) {
	case interface{ ContextShape() []int }:
		return f.ContextShape()
	case Unconditional: // it gives the context itself
		return nil
	case Wrapper:
		f.Map(func(inner Field) Field {
			if context == nil && inner != nil {
				context = ContextShape(inner)
			}
			return inner
		})
	}
	return context
}

// vector is the shape of a context of n values; nil for none.
func vector(n int) []int {
	if n == 0 {
		return nil
	}
	return []int{n}
}

// ContextRank is the number of trailing axes of a context c that make one condition: what
// f's own method ContextRank() int says, or that of the field that it wraps (see
// [Wrapper]), and 1, a vector, otherwise. A field that takes a time series or an image as
// its condition has 2 or 3.
func ContextRank(f Field) int {
	switch f := f.(type) {
	case interface{ ContextRank() int }:
		return f.ContextRank()
	case Wrapper:
		rank := 1
		f.Map(func(inner Field) Field {
			if r := ContextRank(inner); r != 1 {
				rank = r
			}
			return inner
		})
		return rank
	}
	return 1
}

package field

import (
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/conformance"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// divergence checks a field that knows its own: against the sum of the derivatives of each
// value with respect to its own place.
func (k *checker) divergence() error {
	f, ok := k.field.(Divergent)
	if !ok || !KnowsDivergence(k.field) {
		return nil
	}
	size := shape.Size(k.shape)
	out, err := k.run(func(scope *model.Scope, in []*Node) []*Node {
		value, divergence := CallWithDivergence(f, scope, in[0], in[1], k.contextOf(in))
		flat := shape.Flatten(k.call(scope, in), len(k.shape))
		var trace *Node
		for i := range size {
			row := Gradient(ReduceAllSum(SliceAxis(flat, -1, AxisElem(i))), in[0])[0]
			term := Squeeze(SliceAxis(shape.Flatten(row, len(k.shape)), -1, AxisElem(i)), -1)
			if trace == nil {
				trace = term
			} else {
				trace = Add(trace, term)
			}
		}
		return []*Node{value, divergence, trace}
	})
	if err != nil {
		return fmt.Errorf("its divergence: %w", err)
	}
	if at, ok := k.differ(k.value, out[0]); ok {
		return fmt.Errorf("value %d is %.6g from Apply and %.6g from ApplyWithDivergence: both must agree", at, k.value[at], out[0][at])
	}
	if at, ok := k.differ(out[2], out[1]); ok {
		return fmt.Errorf("ApplyWithDivergence says that the divergence of event %d is %.6g, and the trace of the derivative is %.6g: both must agree", at, out[1][at], out[2][at])
	}
	return nil
}

// onObjects checks a field that takes a mask: where nothing is padding, and with every
// number of objects. Of an event without objects the value is masked away, and the gradient
// of the weights is not: a mean over nothing would make it NaN, for all events.
func (k *checker) onObjects() error {
	f, ok := k.field.(OnObjects)
	if !ok {
		return nil
	}
	if len(k.shape) < 2 {
		return fmt.Errorf("it takes a mask, and its events have shape %s: a masked event has an axis of objects and at least one of their features", shape.Format(k.shape))
	}
	objects := k.shape[0]
	out, err := k.run(func(scope *model.Scope, in []*Node) []*Node {
		masked := func(present []int) *Node { // how many objects each event has
			g := in[0].Graph()
			counts := Reshape(Const(g, present), slices.Concat(checkLead, []int{1})...)
			dims := slices.Concat(checkLead, []int{objects})
			number := Iota(g, shapes.Make(counts.DType(), dims...), -1)
			mask := ConvertDType(LessThan(number, BroadcastToDims(counts, dims...)), in[0].DType())
			return Call(Masked(f, mask), scope, in[0], in[1], k.contextOf(in))
		}
		events := shape.Size(checkLead)
		all, some := make([]int, events), make([]int, events)
		for i := range all {
			all[i], some[i] = objects, i%(objects+1)
		}
		loss := ReduceAllSum(Square(masked(some)))
		gradients := []*Node{Gradient(loss, in[0])[0]}
		for v := range k.store.IterVariables() {
			if v.Trainable && v.InUseByGraph(loss.Graph()) {
				gradients = append(gradients, Gradient(loss, v.NodeValue(loss.Graph()))[0])
			}
		}
		return append([]*Node{masked(all)}, gradients...)
	})
	if err != nil {
		return fmt.Errorf("with a mask: %w", err)
	}
	if at, ok := k.differ(k.value, out[0]); ok {
		return fmt.Errorf("value %d is %.6g from Apply and %.6g from ApplyMasked with a mask of ones: both must agree", at, k.value[at], out[0][at])
	}
	for _, gradient := range out[1:] {
		for _, v := range gradient {
			if !conformance.Finite(v) {
				return fmt.Errorf("the derivative by x or by a variable is %v for events of which some have no objects: it must be finite for every mask", v)
			}
		}
	}
	return nil
}

package run

// Inputs are what a solve is given beside its state, a row for each of the state's: nodes in
// a graph, tensors on the host. What there isn't is nil.
type Inputs[T any] struct{ Context, Mask, Probes *T }

// Present says which inputs there are.
type Present [3]bool

// slots are the places of the inputs, in the order in which programs take them.
func (in *Inputs[T]) slots() []**T { return []**T{&in.Context, &in.Mask, &in.Probes} }

// List are the inputs that there are.
func (in Inputs[T]) List() (out []*T) {
	for _, slot := range in.slots() {
		if *slot != nil {
			out = append(out, *slot)
		}
	}
	return out
}

// Present says which of the inputs there are.
func (in Inputs[T]) Present() (has Present) {
	for i, slot := range in.slots() {
		has[i] = *slot != nil
	}
	return has
}

// Given are the inputs that don't belong to a solve: all but the probes.
func (in Inputs[T]) Given() Inputs[T] {
	in.Probes = nil
	return in
}

// InputsOf puts a list, as [Inputs.List] makes it, back in the places of the inputs that
// there are.
func InputsOf[T any](has Present, list []*T) (in Inputs[T]) {
	for i, slot := range in.slots() {
		if has[i] {
			*slot, list = list[0], list[1:]
		}
	}
	return in
}

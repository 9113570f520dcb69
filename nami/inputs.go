package nami

// inputs are what a solve is given beside its state, a row for each of the state's: nodes in
// a graph, tensors on the host. What there isn't is nil.
type inputs[T any] struct{ context, mask, probes *T }

// slots are the places of the inputs, in the order in which programs take them.
func (in *inputs[T]) slots() []**T { return []**T{&in.context, &in.mask, &in.probes} }

// list are the inputs that there are.
func (in inputs[T]) list() (out []*T) {
	for _, slot := range in.slots() {
		if *slot != nil {
			out = append(out, *slot)
		}
	}
	return out
}

// present says which of the inputs there are.
func (in inputs[T]) present() (has [3]bool) {
	for i, slot := range in.slots() {
		has[i] = *slot != nil
	}
	return has
}

// inputsOf puts a list, as [inputs.list] makes it, back in the places of the inputs that
// there are.
func inputsOf[T any](has [3]bool, list []*T) (in inputs[T]) {
	for i, slot := range in.slots() {
		if has[i] {
			*slot, list = list[0], list[1:]
		}
	}
	return in
}

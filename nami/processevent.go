package nami

// EventShape is the shape of one event; empty for a scalar.
func (p *Process) EventShape() []int { return p.base.EventShape() }

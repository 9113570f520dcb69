package fingerprint

// contains says whether part, a graph of one output, is in whole: as it is, or with
// anything of the right shape for its inputs, each time the same.
func contains(whole, part Graph) bool {
	root := part.Outputs[0]
	for at := range whole.Nodes {
		m := match{whole: whole, part: part, of: map[int]int{}}
		if m.same(root, at) {
			return true
		}
	}
	return false
}

// match is an attempt to find a part in a graph.
type match struct {
	whole, part Graph
	of          map[int]int // the whole's node for each of the part's
}

func (m *match) same(inPart, inWhole int) bool {
	if known, ok := m.of[inPart]; ok {
		return known == inWhole
	}
	p, w := m.part.Nodes[inPart], m.whole.Nodes[inWhole]
	if p.Shape != w.Shape {
		return false
	}
	m.of[inPart] = inWhole
	if isInput(p) {
		return true
	}
	if p.Text != w.Text || len(p.Inputs) != len(w.Inputs) {
		return false
	}
	for i, input := range p.Inputs {
		if !m.same(input, w.Inputs[i]) {
			return false
		}
	}
	return true
}

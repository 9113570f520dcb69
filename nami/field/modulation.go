package field

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"github.com/nami-flow/go-nami/nami/internal/layer"
)

// modulator shifts, scales and gates values by a condition. What it does starts as nothing, and
// gates start closed (Peebles & Xie 2023, arXiv:2212.09748, section 3.2, "adaLN-Zero").
type modulator struct {
	// condition is lead+[n], or [n] for one condition of all events: it is modulated once, and
	// the result used for each event.
	condition *Node
	// tokens says that the values are lead+[tokens, width] rather than lead+[width]: all tokens
	// of an event are modulated alike.
	tokens bool
}

// factor is linear in the condition, and fits values h.
func (m modulator) factor(scope *model.Scope, what string, h *Node) *Node {
	f := layer.Linear(scope.At("%s", what), m.condition, h.Shape().Dim(-1), initializer.Zero, initializer.Zero)
	if m.tokens && f.Rank() > 1 {
		f = InsertAxes(f, -2)
	}
	return ExpandLeftToRank(f, h.Rank())
}

// modulated is (1 + scale) ⊙ h + shift.
func (m modulator) modulated(scope *model.Scope, h *Node) *Node {
	modulated, _ := m.scaled(scope, h)
	return modulated
}

// scaled is modulated, and 1 + scale.
func (m modulator) scaled(scope *model.Scope, h *Node) (modulated, scale *Node) {
	scale = AddScalar(m.factor(scope, "scale", h), 1)
	return Add(Mul(h, scale), m.factor(scope, "shift", h)), scale
}

// gated is gate ⊙ h.
func (m modulator) gated(scope *model.Scope, h *Node) *Node {
	return Mul(m.factor(scope, "gate", h), h)
}

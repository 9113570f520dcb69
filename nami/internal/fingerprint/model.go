package fingerprint

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Model is what a trained field is part of: what it predicts, and what it was trained with,
// by name: "base", "path", "schedule", "transform" and "context transform", as far as they
// matter.
type Model struct {
	Prediction string          `json:"prediction,omitempty"`
	Parts      map[string]Part `json:"parts,omitempty"`
}

// Part is one thing that a field was trained with: how it prints, for people, and some of
// its values, by which it is compared. Values are texts, as they may be infinite.
type Part struct {
	Text   string   `json:"text"`
	Values []string `json:"values"`
}

// Parts are those of a model, of which any may be nil.
type Parts struct {
	Prediction schedule.Prediction
	Base       distribution.Base
	Path       path.Path
	Schedule   schedule.Schedule

	// Transform and ContextTransform map what the data's units are to the model's, in which an
	// event and a context have the shapes Event and Context; nil for no context.
	Transform, ContextTransform transform.Transform
	Event, Context              []int
}

// OfModel is what is to be kept of a model. A part whose values can't be had is left out: a
// base that depends on the context or has several distributions, and what fails.
func OfModel(of Parts) Model {
	base, p, s := of.Base, of.Path, of.Schedule
	m := Model{Prediction: of.Prediction.String(), Parts: map[string]Part{}}
	add := func(name string, part any, values func(in []*graph.Node) []*graph.Node, in ...any) {
		if got, err := evaluated(values, in...); err == nil {
			m.Parts[name] = Part{Text: Describe(part), Values: got}
		}
	}
	times := []float64{0.1, 0.3, 0.5, 0.7, 0.9}
	if s != nil {
		add("schedule", s, func(in []*graph.Node) []*graph.Node { return []*graph.Node{s.Alpha(in[0]), s.Sigma(in[0])} }, times)
	}
	if p != nil {
		point := []float64{1, 0, -0.5, 2, 0.25}
		add("path", p, func(in []*graph.Node) []*graph.Node {
			target, source := in[1], graph.Reverse(in[1], 0)
			return []*graph.Node{p.Point(target, source, in[0]), p.Velocity(target, source, in[0])}
		}, times, point)
	}
	if d, ok := base.(distribution.Distribution); ok && single(d) {
		add("base", d, func(in []*graph.Node) []*graph.Node { return []*graph.Node{d.LogProb(in[0])} }, points(d.EventShape()))
	}
	for name, t := range map[string]struct {
		transform transform.Transform
		inModel   []int
	}{transforms[0]: {of.Transform, of.Event}, transforms[1]: {of.ContextTransform, of.Context}} {
		if t.transform != nil && t.inModel != nil {
			add(name, t.transform, func(in []*graph.Node) []*graph.Node {
				x, logDet := t.transform.Inverse(in[0])
				return []*graph.Node{x, logDet}
			}, points(t.inModel))
		}
	}
	return m
}

// transforms are the names of the parts without which the field sees other units.
var transforms = []string{"transform", "context transform"}

// single is true for one distribution, rather than a batch of them.
func single(d distribution.Distribution) bool {
	b, ok := d.(distribution.Batched)
	return !ok || len(b.BatchShape()) == 0
}

// points are a few events at which a density is asked.
func points(event []int) *tensors.Tensor {
	sizes, n := []float64{0, 0.3, 1, 2}, shape.Size(event)
	values := make([]float64, 0, len(sizes)*n)
	for _, size := range sizes {
		for i := range n {
			values = append(values, size*math.Sin(1+float64(i)))
		}
	}
	return tensors.FromFlatDataAndDimensions(values, slices.Concat([]int{len(sizes)}, event)...)
}

// evaluated are the values of a small graph, computed in pure Go.
func evaluated(build func(in []*graph.Node) []*graph.Node, in ...any) (texts []string, err error) {
	backend, err := gomlx.PureGo()
	if err != nil {
		return nil, err
	}
	err = gomlx.Try(func() error {
		out, err := graph.CallOnceN(backend, build, in...)
		if err != nil {
			return err
		}
		defer gomlx.Finalize(out)
		for _, t := range out {
			err := gomlx.EachFloat(t, func(_ int, v float64) { texts = append(texts, strconv.FormatFloat(v, 'g', 9, 64)) })
			if err != nil {
				return err
			}
		}
		return nil
	})
	return texts, err
}

// same is true if the values agree to five digits, or can't be compared.
func (p Part) same(other Part) bool {
	if len(p.Values) != len(other.Values) {
		return false
	}
	for i, text := range p.Values {
		a, errA := strconv.ParseFloat(text, 64)
		b, errB := strconv.ParseFloat(other.Values[i], 64)
		if errA != nil || errB != nil || text == other.Values[i] {
			continue
		}
		if !(math.Abs(a-b) <= 1e-5*math.Max(1, math.Abs(a))) {
			return false
		}
	}
	return true
}

// difference is an error that says how a model that was asked for differs from the kept one
// in what both tell; nil if it doesn't.
func (m Model) difference(asked Model) error {
	var parts []string
	if m.Prediction != "" && asked.Prediction != "" && m.Prediction != asked.Prediction {
		parts = append(parts, fmt.Sprintf("the field was trained to predict %s, and the model takes what it says for %s (schedule.Converted makes the one of the other)", m.Prediction, asked.Prediction))
	}
	for _, name := range []string{"base", "path", "schedule"} {
		kept, known := m.Parts[name]
		other, given := asked.Parts[name]
		if known && given && !kept.same(other) {
			text := fmt.Sprintf("the %s is %s, and was %s in training", name, other.Text, kept.Text)
			if other.Text == kept.Text {
				text = fmt.Sprintf("the %s prints as in training, %s, but has other values", name, kept.Text)
			}
			if name == "schedule" {
				text += " (schedule.Rescheduled changes the schedule after training)"
			}
			parts = append(parts, text)
		}
	}
	for _, name := range transforms {
		kept, known := m.Parts[name]
		other, given := asked.Parts[name]
		switch {
		case m.Prediction == "" || known == given && (!known || kept.same(other)):
		case !given:
			parts = append(parts, fmt.Sprintf("the model has no %s, and was trained with %s", name, kept.Text))
		case !known:
			parts = append(parts, fmt.Sprintf("the model has the %s %s, and was trained without (loss.Transformed trains with one)", name, other.Text))
		default:
			parts = append(parts, fmt.Sprintf("the %s is %s, and was %s in training", name, other.Text, kept.Text))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return errors.New("the store's weights belong to another model: " + strings.Join(parts, "; ") + "; bind the model that was trained, or say nami.AnyModel() if this is meant")
}

package distribution

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/shape"
)

// In JSON, and so in a model's file, a distribution is its parameters, an event's shape, and the
// batch's if it has one:
//
//	{"Event": [2], "Loc": {"Shape": [2], "Values": [0, 1]}, "Scale": {"Shape": [2], "Values": [1, 1]}}
//
// What is read is checked as what is given to the functions that make one.
type written struct {
	Event   []int      `json:",omitzero"`
	Batch   []int      `json:",omitempty"`
	Loc     *parameter `json:",omitempty"`
	Scale   *parameter `json:",omitempty"`
	Low     *parameter `json:",omitempty"`
	High    *parameter `json:",omitempty"`
	Weights *parameter `json:",omitempty"`
}

func (b batched) written() written {
	return written{Event: append([]int{}, b.event...), Batch: b.batch}
}

// read reads the JSON of a distribution that has just these parameters.
func (b *batched) read(name string, text []byte, parameters map[string]*parameter) error {
	var w written
	if err := strictly(text, &w); err != nil {
		return fmt.Errorf("distribution.%s: %w", name, err)
	}
	for key, p := range map[string]*parameter{"Loc": w.Loc, "Scale": w.Scale, "Low": w.Low, "High": w.High, "Weights": w.Weights} {
		to, wanted := parameters[key]
		switch {
		case wanted && p == nil:
			return fmt.Errorf("distribution.%s: %s is missing", name, key)
		case !wanted && p != nil:
			return fmt.Errorf("distribution.%s: it has a %s, and expects none", name, key)
		case wanted:
			*to = *p
			to.name = lowercase[key]
		}
	}
	if slices.ContainsFunc(slices.Concat(w.Batch, w.Event), func(size int) bool { return size < 1 }) {
		return fmt.Errorf("distribution.%s: the batch has shape %s and an event %s: every axis needs at least 1", name, shape.Format(w.Batch), shape.Format(w.Event))
	}
	*b = batched{name: name, batch: w.Batch, event: append([]int{}, w.Event...)}
	return nil
}

var lowercase = map[string]string{"Loc": "loc", "Scale": "scale", "Low": "low", "High": "high", "Weights": "weights"}

// holds refuses a batch that doesn't end in that of the parameters, of shape dims, of which the
// last len(event) axes are the event.
func (b batched) holds(dims []int) error {
	n := len(dims) - len(b.event)
	if n < 0 || !slices.Equal(dims[n:], b.event) || !b.endsIn(dims[:n]) {
		return fmt.Errorf("distribution.%s: the parameters have the shape %s, and batch and event %s×%s: they must end in it", b.name, shape.Format(dims), shape.Format(b.batch), shape.Format(b.event))
	}
	return nil
}

// endsIn says whether the batch ends in another one.
func (b batched) endsIn(batch []int) bool {
	return batched{batch: batch}.fits(b.batch)
}

// parameterText is a parameter in JSON.
type parameterText struct {
	Shape  []int
	Values []float64
}

// MarshalJSON implements [json.Marshaler].
func (p parameter) MarshalJSON() ([]byte, error) {
	return json.Marshal(parameterText{append([]int{}, p.dims...), p.values})
}

// UnmarshalJSON implements [json.Unmarshaler]: as many values as the shape says.
func (p *parameter) UnmarshalJSON(text []byte) error {
	var t parameterText
	if err := strictly(text, &t); err != nil {
		return err
	}
	size := 1
	for _, n := range t.Shape {
		if n < 1 || size > len(t.Values)/n {
			return fmt.Errorf("there are %d values for the shape %s", len(t.Values), shape.Format(t.Shape))
		}
		size *= n
	}
	if size != len(t.Values) {
		return fmt.Errorf("there are %d values for the shape %s", len(t.Values), shape.Format(t.Shape))
	}
	p.dims, p.values = append([]int{}, t.Shape...), t.Values
	return nil
}

// strictly reads JSON, and refuses what isn't known.
func strictly(text []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(to)
}

// MarshalJSON implements [json.Marshaler].
func (d StandardNormal) MarshalJSON() ([]byte, error) { return json.Marshal(d.written()) }

// UnmarshalJSON implements [json.Unmarshaler].
func (d *StandardNormal) UnmarshalJSON(text []byte) error {
	return d.read("StandardNormal", text, nil)
}

// MarshalJSON implements [json.Marshaler]. A distribution in a graph has no values: it is an
// error.
func (d DiagonalNormal) MarshalJSON() ([]byte, error) {
	if d.computed != nil {
		return nil, errors.New("distribution.DiagonalNormal: it belongs to a graph, and has no values to be written: use a Conditional that makes it, such as LearnedNormal")
	}
	w := d.written()
	w.Loc, w.Scale = &d.loc, &d.scale
	return json.Marshal(w)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (d *DiagonalNormal) UnmarshalJSON(text []byte) error {
	var out DiagonalNormal
	if err := out.read("DiagonalNormal", text, map[string]*parameter{"Loc": &out.loc, "Scale": &out.scale}); err != nil {
		return err
	}
	if err := errors.Join(sameShape(out.loc, out.scale), out.scale.positive(), out.holds(out.loc.dims)); err != nil {
		return fmt.Errorf("distribution.DiagonalNormal: %w", err)
	}
	*d = out
	return nil
}

// MarshalJSON implements [json.Marshaler].
func (u Uniform) MarshalJSON() ([]byte, error) {
	w := u.written()
	w.Low, w.High = &u.low, &u.high
	return json.Marshal(w)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (u *Uniform) UnmarshalJSON(text []byte) error {
	var out Uniform
	if err := out.read("Uniform", text, map[string]*parameter{"Low": &out.low, "High": &out.high}); err != nil {
		return err
	}
	if err := errors.Join(out.checkRange(), out.holds(out.low.dims)); err != nil {
		return fmt.Errorf("distribution.Uniform: %w", err)
	}
	*u = out
	return nil
}

// MarshalJSON implements [json.Marshaler].
func (m GaussianMixture) MarshalJSON() ([]byte, error) {
	w := m.written()
	w.Weights, w.Loc, w.Scale = &m.weights, &m.loc, &m.scale
	return json.Marshal(w)
}

// UnmarshalJSON implements [json.Unmarshaler]. The weights must sum to 1: they aren't scaled, so
// that what was written is read to the bit.
func (m *GaussianMixture) UnmarshalJSON(text []byte) error {
	var out GaussianMixture
	err := out.read("GaussianMixture", text, map[string]*parameter{"Weights": &out.weights, "Loc": &out.loc, "Scale": &out.scale})
	if err != nil {
		return err
	}
	components, event, err := out.checkParameters(len(out.event))
	if err == nil {
		err = out.holds(slices.Concat(components[:len(components)-1], event))
	}
	if err != nil {
		return fmt.Errorf("distribution.GaussianMixture: %w", err)
	}
	for row := range slices.Chunk(out.weights.values, out.components()) {
		total := 0.0
		for _, w := range row {
			total += w
		}
		if !(math.Abs(total-1) <= 1e-9) {
			return fmt.Errorf("distribution.GaussianMixture: the weights %v sum to %v: expected 1", row, total)
		}
	}
	*m = out
	return nil
}

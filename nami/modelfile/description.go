package modelfile

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/checkpoint"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/gomlx/ml/model"
)

// version is that of the description. A larger one is made by a newer nami; all smaller ones
// stay readable.
const version = 1

// description is what a file says of the model, as JSON.
type description struct {
	Version  int               `json:"version"`
	Model    json.RawMessage   `json:"model"`
	Event    []int             `json:"event"`
	Context  []int             `json:"context"` // null without one
	Columns  *data.Columns     `json:"columns,omitempty"`
	Units    map[string]string `json:"units,omitempty"`
	Training Training          `json:"training"`
	Notes    string            `json:"notes,omitempty"`
}

var _ train.Describer = File{}

// Validate reports what is wrong with a file, but for its weights: a model that can't be
// described, columns that don't fit it, units of columns that there aren't, and a Which that isn't
// among the names of weights, if those are known: see [train.Describer]. A fit that is given
// [train.Describe] with the file does so before its first step.
func (f File) Validate(weights []string) error {
	if f.Model == nil {
		return errors.New("modelfile: " + noModel)
	}
	_, err := f.model()
	if err == nil {
		_, err = f.settled()
	}
	if err == nil && f.Which != "" && weights != nil && !slices.Contains(weights, f.Which) {
		err = fmt.Errorf("the Which is %q, and the training keeps no weights of that name: expected one of %q; there are %q with a train.Validate, and others with train.Average", f.Which, weights, train.Best)
	}
	if err != nil {
		return fmt.Errorf("modelfile: %w", err)
	}
	return nil
}

const noModel = "the Model is nil: give a nami.FlowMatching or nami.Diffusion"

// Describe implements [train.Describer]: with [train.Describe] a fit's checkpoints hold the
// model, and [Load] loads them. Store and Training are those of the fit.
func (f File) Describe(store *model.Store, h *train.History) (string, error) {
	f.Store, f.Training = store, TrainingOf(h)
	text, err := f.text()
	if err != nil {
		return "", fmt.Errorf("modelfile: %w", err)
	}
	return text, nil
}

// settled is the file with what can be taken from its parts, after it was checked. Store may be
// nil.
func (f File) settled() (File, error) {
	if f.Model == nil {
		return f, errors.New(noModel)
	}
	if p := reflect.ValueOf(f.Model); p.Kind() == reflect.Pointer && !p.IsNil() {
		if value, ok := p.Elem().Interface().(Model); ok {
			f.Model = value
		}
	}
	parts, err := partsOf(f.Model)
	if err != nil {
		return f, err
	}
	switch {
	case parts != nil && f.Event == nil:
		f.Event = parts.units.Shape
	case f.Event == nil:
		return f, fmt.Errorf("the Event is nil, and a %T doesn't tell it: give the shape of one event", f.Model)
	case parts != nil && !slices.Equal(f.Event, parts.units.Shape):
		return f, fmt.Errorf("the Event is %s, and the model's events have the shape %s: leave Event out", shape.Format(f.Event), shape.Format(parts.units.Shape))
	}
	if f.Context == nil {
		if f.Context, err = f.contextShape(parts); err != nil {
			return f, err
		}
	}
	if f.hasColumns() {
		if err := f.checkColumns(); err != nil {
			return f, err
		}
	}
	return f, f.checkUnits()
}

// model is the model's description, which means what it was made of.
func (f File) model() (any, error) {
	tree, err := describe("Model", f.Model)
	if err != nil {
		return nil, err
	}
	again, err := build[Model]("Model", tree, 1<<62)
	if err != nil {
		return nil, fmt.Errorf("the description of the model can't be read back: %w", err)
	}
	back, err := describe("Model", again)
	if err != nil {
		return nil, err
	}
	var c comparison
	if c.compare("Model", tree, back); len(c.differences) > 0 {
		return nil, fmt.Errorf("the description of the model isn't read back as it was written: %s; look at the MarshalJSON and UnmarshalJSON of that type", c.differences[0])
	}
	return tree, nil
}

func (f File) hasColumns() bool { return !reflect.DeepEqual(f.Columns, data.Columns{}) }

// checkColumns refuses columns that don't make the model's events and contexts.
func (f File) checkColumns() error {
	if err := f.Columns.Validate(); err != nil {
		return err
	}
	for _, class := range f.Columns.Classes {
		if len(class.Names) == 0 {
			return fmt.Errorf("the Columns: the classes of %q have no names: columns.Fit(table) fills in those of a table", class.Column)
		}
	}
	if n := shape.Size(f.Event); len(f.Columns.X) != n {
		return fmt.Errorf("the Columns' X names %d columns, %s, and an event of shape %s has %d values: expected one for each", len(f.Columns.X), strings.Join(f.Columns.X, ", "), shape.Format(f.Event), n)
	}
	switch n := f.Columns.ContextSize(); {
	case n == 0 && f.Context != nil:
		return fmt.Errorf("the Columns have no Context and no Classes, and the model takes contexts of shape %s", shape.Format(f.Context))
	case n > 0 && f.Context == nil:
		return fmt.Errorf("the Columns have a context of %d values, and the model takes none", n)
	case n > 0 && n != shape.Size(f.Context):
		return fmt.Errorf("the Columns have a context of %d values, and the model takes contexts of shape %s", n, shape.Format(f.Context))
	}
	return nil
}

func (f File) checkUnits() error {
	names := f.Columns.Names()
	for column := range f.Units {
		if !slices.Contains(names, column) {
			return fmt.Errorf("the Units have the column %q, which isn't one of the Columns: %s", column, strings.Join(names, ", "))
		}
	}
	return nil
}

// text is the description, of a file whose weights were found to fit it.
func (f File) text() (string, error) {
	if f.Model == nil {
		return "", errors.New(noModel)
	}
	tree, err := f.model()
	if err != nil {
		return "", err
	}
	if f, err = f.settled(); err != nil {
		return "", err
	}
	d := description{
		Version: version, Event: append([]int{}, f.Event...), Context: f.Context, Units: f.Units,
		Training: f.Training.withVersions(), Notes: f.Notes,
	}
	if f.hasColumns() {
		d.Columns = &f.Columns
	}
	if d.Model, err = json.Marshal(tree); err != nil {
		return "", err
	}
	text, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("the description can't be written: %w", err)
	}
	if f.Store == nil {
		return "", errNoStore
	}
	// What can't be loaded isn't saved.
	if _, err := read(text, bytesOf(f.Store)+int64(len(text))); err != nil {
		return "", err
	}
	if err := f.checkTrained(); err != nil {
		return "", err
	}
	return string(text), f.checkWeights()
}

// bytesOf is how many bytes the variables have that are saved of a store.
func bytesOf(store *model.Store) (n int64) {
	for _, path := range checkpoint.ModelPaths(store) {
		n += int64(store.GetVariable(path).Shape().ByteSize())
	}
	return n
}

// read makes a file, without weights, of a description in a file of so many bytes.
func read(text []byte, length int64) (*File, error) {
	if _, err := parse(text); err != nil {
		return nil, fmt.Errorf("its description can't be read: %w", err)
	}
	var which struct {
		Version *int `json:"version"`
	}
	switch err := json.Unmarshal(text, &which); {
	case err != nil:
		return nil, fmt.Errorf("its description can't be read: %w", err)
	case which.Version == nil || *which.Version < 1:
		return nil, errors.New("its description has no version: nami didn't make it")
	case *which.Version > version:
		return nil, fmt.Errorf("it was made by a newer nami, in version %d of the format; this one reads up to %d: update nami", *which.Version, version)
	}
	var d description
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return nil, fmt.Errorf("its description can't be read: %w; perhaps a newer nami made it", err)
	}
	tree, err := parse(d.Model)
	if err != nil {
		return nil, fmt.Errorf("the description of its model can't be read: %w", err)
	}
	f := &File{Event: d.Event, Context: d.Context, Units: d.Units, Training: d.Training, Notes: d.Notes}
	if d.Columns != nil {
		f.Columns = *d.Columns
	}
	bound := decoderOf(length)
	for what, dims := range map[string][]int{"event": d.Event, "context": d.Context} {
		if _, err := bound.product(dims); err != nil {
			return nil, fmt.Errorf("its %s: %w", what, err)
		}
	}
	if f.Event == nil {
		return nil, errors.New("its description has no event")
	}
	if f.Model, err = build[Model]("Model", tree, length); err != nil {
		return nil, err
	}
	if f.Model == nil {
		return nil, errors.New("its description has no model")
	}
	settled, err := f.settled()
	if err != nil {
		return nil, err
	}
	return &settled, nil
}

// loaded makes a file of a checkpoint, with the weights of that name. What a part of the user's
// panics with is an error.
func loaded(c *checkpoint.Checkpoint, which string) (f *File, err error) {
	err = gomlx.Try(func() error {
		f, err = load(c, which)
		return err
	})
	return f, err
}

func load(c *checkpoint.Checkpoint, which string) (*File, error) {
	if c.Model == "" {
		return nil, errors.New("it is a checkpoint of training without a description of its model: train with train.Describe(modelfile.File{Model: …}), or bring its weights into a store by train.Load and save them by modelfile.Save")
	}
	length := int64(len(c.Model))
	for _, v := range c.Values {
		length += int64(v.Value.Shape().ByteSize())
	}
	f, err := read([]byte(c.Model), length)
	if err != nil {
		return nil, err
	}
	f.Weights, f.Warnings = c.Names(), c.Notes
	if which != "" && which == f.Training.Weights && !slices.Contains(f.Weights, which) {
		which = "" // the file has no others
	}
	weights, err := c.Weights(which)
	if err != nil {
		return nil, err
	}
	f.Training.Weights = cmp.Or(which, f.Training.Weights)
	f.Store = model.NewStore()
	if err := weights.Put(f.Store); err != nil {
		return nil, err
	}
	if err := f.checkWeights(); err != nil {
		return nil, err
	}
	return f, f.remember()
}

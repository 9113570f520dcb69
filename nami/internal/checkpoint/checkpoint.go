// Package checkpoint keeps the variables of a store in a file: a model's, their averages, and
// what training needs to go on, with what is to be known of them. Checkpoints of training are
// such files, and so are those of models.
package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/nami/internal/fingerprint"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/safetensors"

	"github.com/gomlx/gomlx/ml/model"
)

// format is the number of the format of what a checkpoint says of itself. Files of models have
// it, too: those of format 3 stay readable for ever (package modelfile has some in testdata).
const format = 3

// About is what a checkpoint says of itself, beside the tensors.
type About struct {
	Format    int                 `json:"format"`
	Identity  map[string]string   `json:"identity"` // of the run that made it
	Code      fingerprint.Code    `json:"code"`
	Fields    []fingerprint.Field `json:"fields"`    // whose weights these are
	History   json.RawMessage     `json:"history"`   // how the run went
	First     int                 `json:"first"`     // the number of the run's first batch
	Batches   int                 `json:"batches"`   // on how many the store was trained, with runs before
	Trainable []string            `json:"trainable"` // paths of variables
	State     []string            `json:"state"`     // those of the optimiser's and of hooks
}

// Checkpoint is the variables of a store, with what is to be known of them.
type Checkpoint struct {
	About
	Values []safetensors.Tensor

	// Model describes the model whose weights these are; empty if it isn't known.
	Model string

	// Notes are what else is to be said of how it was found.
	Notes []string
}

// The keys of the metadata of a file.
const (
	aboutKey = "nami"
	modelKey = "nami.model"
)

// Collect reads the values of variables, and notes what else the store knows.
func (c *Checkpoint) Collect(store *model.Store, paths []string) (err error) {
	c.Format, c.Batches, c.State = format, BatchesMade(store), StateVariables(store)
	if c.Fields, err = fingerprint.Fields(store); err != nil {
		return err
	}
	for _, path := range paths {
		v := store.GetVariable(path)
		value, err := v.Value()
		if err != nil {
			return fmt.Errorf("the variable %s can't be saved: %w", path, err)
		}
		if v.Trainable {
			c.Trainable = append(c.Trainable, path)
		}
		c.Values = append(c.Values, safetensors.Tensor{Name: path, Value: value})
	}
	return nil
}

// Encode is the checkpoint as a file.
func (c *Checkpoint) Encode() ([]byte, error) {
	text, err := json.Marshal(c.About)
	if err != nil {
		return nil, err
	}
	metadata := map[string]string{aboutKey: string(text)}
	if c.Model != "" {
		metadata[modelKey] = c.Model
	}
	return safetensors.Encode(c.Values, metadata)
}

var (
	// ErrOlder is what a checkpoint of an earlier version of the package is.
	ErrOlder = errors.New("it was written by an earlier version, which kept less of a run: train again, in another folder")

	// ErrForeign is a safetensors file that isn't nami's.
	ErrForeign = errors.New("it is a safetensors file, and not one that nami wrote")
)

// Decode reads a file, and checks that it is whole.
func Decode(file []byte) (*Checkpoint, error) {
	f, err := safetensors.Decode(file)
	if err != nil {
		return nil, err
	}
	if f.Metadata[aboutKey] == "" {
		return nil, ErrForeign
	}
	c := &Checkpoint{Values: f.Tensors, Model: f.Metadata[modelKey]}
	if err := json.Unmarshal([]byte(f.Metadata[aboutKey]), &c.About); err != nil {
		return nil, fmt.Errorf("%w: what it says of itself can't be read: %w", safetensors.ErrDamaged, err)
	}
	switch {
	case c.Format < format:
		return nil, ErrOlder
	case c.Format > format:
		return nil, fmt.Errorf("it was written by a later version of nami, in format %d; this one reads %d: update nami", c.Format, format)
	case !f.Intact:
		return nil, fmt.Errorf("%w: its checksum is wrong, or missing", safetensors.ErrDamaged)
	}
	return c, nil
}

// Put sets variables of store, and makes those that it lacks. What isn't marked as
// trainable stays so: GoMLX's own loader makes everything trainable, the random state
// too, and Adam then repeats the same noise at each step.
func (c *Checkpoint) Put(store *model.Store) error {
	values := slices.SortedFunc(slices.Values(c.Values), func(a, b safetensors.Tensor) int { return strings.Compare(a.Name, b.Name) })
	for _, v := range values { // all or none
		variable := store.GetVariable(v.Name)
		if variable != nil && !variable.Shape().Equal(v.Value.Shape()) {
			return fmt.Errorf("the variable %s is %s in the store and %s in the checkpoint: it belongs to another model",
				v.Name, variable.Shape(), v.Value.Shape())
		}
	}
	for _, v := range values {
		variable := store.GetVariable(v.Name)
		var err error
		if variable == nil {
			err = gomlx.Try(func() error {
				variable = store.VariableWithValue(v.Name, v.Value)
				return nil
			})
		} else {
			err = variable.SetValue(v.Value)
		}
		if err != nil {
			return fmt.Errorf("the variable %s: %w", v.Name, err)
		}
		variable.SetTrainable(slices.Contains(c.Trainable, v.Name))
	}
	SetBatchesMade(store, c.Batches)
	AddState(store, c.State)
	return nil
}

// AddFields notes whose the weights are that were put into a store.
func (c *Checkpoint) AddFields(store *model.Store) error {
	if err := fingerprint.AddField(store, c.Trainable, nil); err != nil {
		return err
	}
	for _, field := range c.Fields {
		if err := fingerprint.AddField(store, nil, &field); err != nil {
			return err
		}
	}
	return nil
}

// NonFinite says which weight has values that aren't finite, and how many; it is empty if
// none has.
func NonFinite(store *model.Store) (string, error) {
	for v := range store.IterVariables() {
		if !v.Trainable || !v.DType().IsFloat() {
			continue
		}
		value, err := v.Value()
		if err != nil {
			return "", fmt.Errorf("the variable %s can't be read: %w", v.Path(), err)
		}
		bad, _, err := gomlx.NonFinite(value)
		if err != nil {
			return "", err
		}
		if bad > 0 {
			return fmt.Sprintf("%d of %d values of the weight %s are NaN or infinite", bad, value.Size(), v.Path()), nil
		}
	}
	return "", nil
}

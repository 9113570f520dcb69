package train

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/checkpoint"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Validation measures the loss of events that are not trained on, with the same noise and
// times each time, so that its values compare: they are in [History]. The weights with the
// least loss are kept under the name [Best], for [Load] and [Weights].
type Validation struct {
	// Events are those whose loss is measured: weighted, and in batches of the fit's size.
	Events data.Events

	// Every is how many steps lie between two measurements; 100 if 0. There is none after the
	// last step unless it is a multiple, so that a fit which is continued has the same ones.
	Every int

	// Patience is the number of measurements without a new least loss after which the fit
	// ends; 0 lets it go on.
	Patience int

	// Weights names the [Average] that is measured, and kept if it is the best; the weights
	// themselves if empty.
	Weights string
}

// check refuses what is out of range. A nil validation is none.
func (v *Validation) check(averages []average) error {
	if v == nil {
		return nil
	}
	known := slices.ContainsFunc(averages, func(a average) bool { return a.name == v.Weights })
	switch {
	case v.Every < 0:
		return fmt.Errorf("train: the Validation's Every is %d: it must be at least 1, or 0 for 100", v.Every)
	case v.Patience < 0:
		return fmt.Errorf("train: the Validation's Patience is %d: it must be at least 1, or 0 for none", v.Patience)
	case v.Weights != "" && !known:
		return fmt.Errorf("train: the Validation is of the average %q, and there is none of that name: give train.Average(%q, …), or leave Weights empty", v.Weights, v.Weights)
	}
	if err := v.Events.Validate(); err != nil {
		return fmt.Errorf("train: the Validation's events: %w", err)
	}
	return nil
}

// weights are the names of the weights that there will be beside the last ones.
func (c *config) weights() []string {
	names := []string{}
	for _, a := range c.averages {
		names = append(names, a.name)
	}
	if c.validation != nil {
		names = append(names, Best)
	}
	return names
}

// every is Every, or its default.
func (v *Validation) every() int {
	if v.Every == 0 {
		return 100
	}
	return v.Every
}

// fits refuses validation events that aren't like those of the batches.
func (v *Validation) fits(like data.Events) error {
	if v == nil {
		return nil
	}
	each := func(e data.Events) string {
		e.Weight = nil // the losses of weighted and other events compare
		var text string
		for _, p := range e.Parts() {
			text += fmt.Sprintf("%s %s; ", p.Name, shapes.Make(p.Value.DType(), p.Value.Shape().Dimensions[1:]...))
		}
		return text
	}
	if here, there := each(v.Events), each(like); here != there {
		return fmt.Errorf("an event of the Validation is %sand one of the data %sboth must have the same parts, of the same shapes", here, there)
	}
	return nil
}

// validate measures the loss if it is time, and keeps the best weights.
func (f *fit) validate(ctx context.Context) (err error) {
	v, n := f.config.validation, len(f.history.Validation)
	if v == nil || f.history.Steps() == 0 || f.history.Steps()%v.every() != 0 || n > 0 && f.history.Validation[n-1].Steps == f.history.Steps() {
		return nil
	}
	if f.chunks == nil {
		if f.chunks, err = f.evaluator.cut(v.Events); err != nil {
			return fmt.Errorf("the validation: %w", strip(err))
		}
	}
	loss, err := f.evaluator.measure(ctx, f.chunks)
	if err != nil {
		return fmt.Errorf("the validation after step %d: %w", f.history.Steps(), err)
	}
	best, known := f.history.Best()
	f.history.Validation, f.unsaved = append(f.history.Validation, Validated{f.history.Steps(), loss}), true
	if !known || loss < best.Loss {
		return f.keepBest(v.Weights)
	}
	return nil
}

// outOfPatience says why the run is done, if the validation says so; else it is empty.
func (f *fit) outOfPatience() string {
	v := f.config.validation
	if v == nil || v.Patience == 0 {
		return ""
	}
	best, _ := f.history.Best()
	since := 0
	for _, m := range f.history.Validation {
		if m.Steps > best.Steps {
			since++
		}
	}
	if since < v.Patience {
		return ""
	}
	return fmt.Sprintf("the validation loss has not been below %.6g, that after step %d, in %d measurements", best.Loss, best.Steps, since)
}

// keepBest copies the weights, or an average of them, to where the best ones are.
func (f *fit) keepBest(which string) error {
	chosen, err := checkpoint.Choose(f.store, which)
	if err != nil {
		return err
	}
	for _, c := range chosen {
		value, err := f.store.GetVariable(c.From).Value()
		var copied *tensors.Tensor
		if err == nil {
			copied, err = value.LocalClone()
		}
		if err != nil {
			return fmt.Errorf("train: the best weights can't be kept: the variable %s: %w", c.From, err)
		}
		path := checkpoint.BestScope + c.To
		if v := f.store.GetVariable(path); v != nil {
			err = v.SetValue(copied)
		} else {
			f.store.VariableWithValue(path, copied).SetTrainable(false)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("train: the best weights can't be kept: the variable %s", path), err)
		}
	}
	return nil
}

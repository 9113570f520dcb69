package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"strconv"
	"time"

	"github.com/nami-flow/go-nami/nami/internal/checkpoint"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/gomlx/ml/model"
)

// Describer says of what model a fit's weights are, so that its checkpoints hold the model, too:
// see [Describe].
type Describer interface {
	// Validate reports what is wrong with the description, before the first step. weights are
	// the names of those that the fit will keep beside the last ones: its averages, and [Best]
	// with a [Validation].
	Validate(weights []string) error

	// Describe returns the description, with the store and the history as they are now. It is
	// an error if the weights in store aren't those of the model.
	Describe(store *model.Store, h *History) (string, error)
}

// Describe keeps a description of the model in each checkpoint, so that it can be loaded without
// knowing its Go types. It is a modelfile.File in most cases: then modelfile.Load loads the
// [Checkpoint]. A description belongs to no run: it may change from one call to the next.
func Describe(d Describer) Option { return named("Describe", func(c *config) { c.describer = d }) }

// describe is the description of the model; empty if none is asked for.
func (f *fit) describe() (text string, err error) {
	if f.config.describer == nil {
		return "", nil
	}
	err = gomlx.Guard("Describe", func() error {
		text, err = f.config.describer.Describe(f.store, f.history)
		return err
	})
	return text, err
}

// save writes a checkpoint of the run, if it keeps any and the newest holds less. It
// refuses weights that aren't finite, which a last step with a finite loss can make.
func (f *fit) save() error {
	if !f.unsaved {
		return nil
	}
	bad, err := checkpoint.NonFinite(f.store)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if bad != "" {
		return fmt.Errorf("train: after step %d, %s, though the loss isn't: the loss's gradient has a singular point (a square root of 0?), or the learning rate %s is too large%s",
			f.history.Steps(), bad, f.rate(), f.where())
	}
	if f.folder == "" {
		return nil
	}
	f.history.Saved = time.Now().Round(time.Second)
	if err := f.write(); err != nil {
		return fmt.Errorf("train: the checkpoint can't be saved in %s: %w; what was saved before is untouched", f.folder, err)
	}
	f.kept, f.unsaved = f.history.Steps(), false
	return nil
}

func (f *fit) write() error {
	history, err := json.Marshal(f.history)
	if err != nil {
		return err
	}
	kept := &checkpoint.Checkpoint{About: checkpoint.About{Identity: f.identity, Code: f.code, History: history, First: f.trainer.first}}
	if kept.Model, err = f.describe(); err != nil {
		return err
	}
	if err := kept.Collect(f.store, checkpoint.Paths(f.store)); err != nil {
		return err
	}
	return kept.Write(f.folder, f.history.Steps())
}

// resume continues the run from its folder, if there is a checkpoint.
func (f *fit) resume() error {
	if info, err := os.Stat(f.folder); err == nil && !info.IsDir() {
		return fmt.Errorf("train: the checkpoint %s is a file: expected a folder, choose another name", f.folder)
	}
	kept, err := checkpoint.Newest(f.folder)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if isSaves(kept) {
		return fmt.Errorf("train: the checkpoint in %s holds weights that Save kept, which no fit can resume: Load them into the store, and choose another name for the run", f.folder)
	}
	history, err := historyOf(kept)
	if err != nil {
		return err
	}
	if difference := f.differs(kept); difference != "" {
		return fmt.Errorf("train: the checkpoint in %s belongs to another run, saved %s: %s; choose another name, or remove the folder", f.folder, history.Saved.Format(time.DateTime), difference)
	}
	if err := put(f.store, kept); err != nil {
		return err
	}
	for _, note := range history.Notes {
		if err := f.note(note); err != nil {
			return err
		}
	}
	history.Notes = f.history.Notes
	f.history, f.kept = history, history.Steps()
	f.trainer.first, f.feeder.first, f.trainer.made = kept.First, kept.First, f.history.Steps()
	text, err := f.describe()
	if err != nil {
		return fmt.Errorf("train: the checkpoint in %s: %w", f.folder, err)
	}
	f.unsaved = text != "" && text != kept.Model
	return nil
}

// differs lists what sets a checkpoint apart from this run, empty if nothing does. A first
// batch that isn't asked for is the one that the run has.
func (f *fit) differs(kept *checkpoint.Checkpoint) string {
	here, there := maps.Clone(f.identity), maps.Clone(identity(kept.Identity))
	if f.config.has("FirstBatch") {
		here["first batch"], there["first batch"] = strconv.Itoa(f.config.firstBatch), strconv.Itoa(kept.First)
	}
	if difference := here.differs(there); difference != "" {
		if dependsOnSteps(f.config.schedule) && here["schedule"] != there["schedule"] {
			difference += " (a rate that falls over the steps ends with them: to go on, Load these weights and fit them under another name; Schedule(train.Constant{}) from the first step on lets a run go on with more)"
		}
		return difference
	}
	if code := f.code.Differs(kept.Code); code != "" {
		return "the code of the loss, its field or the step was another: " + code
	}
	return ""
}

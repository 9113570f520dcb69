package train

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nami-flow/go-nami/nami/internal/fingerprint"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/google/renameio/v2/maybe"

	"github.com/gomlx/gomlx/ml/model"
)

// keep is how many checkpoints stay in a folder: the newest, and one to fall back to.
const keep = 2

const (
	filePrefix = "step-"
	fileSuffix = ".safetensors"
)

// format is the number of the format of what a checkpoint says of itself.
const format = 2

// saved is what a checkpoint says of itself, beside the tensors.
type saved struct {
	Format    int                 `json:"format"`
	Identity  identity            `json:"identity"`
	Code      fingerprint.Code    `json:"code"`
	Fields    []fingerprint.Field `json:"fields"` // whose weights these are
	History   History             `json:"history"`
	First     int                 `json:"first"`     // the number of the run's first batch
	Batches   int                 `json:"batches"`   // on how many the store was trained, with runs before
	Trainable []string            `json:"trainable"` // paths of variables
	State     []string            `json:"state"`     // those of the optimiser's and of hooks
}

// folder resolves a checkpoint's name.
func folder(name string) string {
	if state := os.Getenv("NAMI_STATE"); state != "" && !filepath.IsAbs(name) {
		return filepath.Join(state, name)
	}
	return name
}

// save writes a checkpoint of the run, if it keeps any and the newest holds less. It
// refuses weights that aren't finite, which a last step with a finite loss can make.
func (f *fit) save() error {
	if !f.unsaved {
		return nil
	}
	bad, err := nonFinite(f.store)
	if err != nil {
		return err
	}
	if bad != "" {
		return fmt.Errorf("train: after step %d, %s, though the loss isn't: the loss's gradient has a singular point (a square root of 0?), or the learning rate %s is too large%s",
			f.history.Steps(), bad, f.rate(), f.where())
	}
	if f.folder == "" {
		return nil
	}
	f.history.Saved = time.Now().Round(time.Second)
	about := saved{Identity: f.identity, Code: f.code, History: *f.history, First: f.trainer.first}
	values, err := about.collect(f.store, paths(f.store))
	if err != nil {
		return err
	}
	if err := write(f.folder, about, values); err != nil {
		return fmt.Errorf("train: the checkpoint can't be saved in %s: %w; what was saved before is untouched", f.folder, err)
	}
	f.kept, f.unsaved = f.history.Steps(), false
	return nil
}

// nonFinite says which weight has values that aren't finite, and how many; it is empty if
// none has.
func nonFinite(store *model.Store) (string, error) {
	for v := range store.IterVariables() {
		if !v.Trainable || !v.DType().IsFloat() {
			continue
		}
		value, err := v.Value()
		if err != nil {
			return "", fmt.Errorf("train: the variable %s can't be read: %w", v.Path(), err)
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

// collect reads the values of variables, and notes what else the store knows.
func (about *saved) collect(store *model.Store, paths []string) (values []namedTensor, err error) {
	about.Format, about.Batches, about.State = format, batchesMade(store), stateVariables(store)
	if about.Fields, err = fingerprint.Fields(store); err != nil {
		return nil, err
	}
	for _, path := range paths {
		v := store.GetVariable(path)
		value, err := v.Value()
		if err != nil {
			return nil, fmt.Errorf("train: the variable %s can't be saved: %w", path, err)
		}
		if v.Trainable {
			about.Trainable = append(about.Trainable, path)
		}
		values = append(values, namedTensor{path, value})
	}
	return values, nil
}

// write adds a checkpoint to a folder, whole or not at all, and then removes old ones.
func write(folder string, about saved, values []namedTensor) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	text, err := json.Marshal(about)
	if err != nil {
		return err
	}
	sum, err := checksum(values)
	if err != nil {
		return err
	}
	file, err := encode(values, map[string]string{"nami": string(text), "sha256": sum})
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%s%09d%s", filePrefix, about.History.Steps(), fileSuffix)
	if err := maybe.WriteFile(filepath.Join(folder, name), file, 0o644); err != nil {
		return err
	}
	// Newer files are there only if they can't be read: they stay, and count for nothing.
	var old []string
	for _, path := range list(folder) {
		if filepath.Base(path) < name {
			old = append(old, path)
		}
	}
	for _, path := range old[min(keep-1, len(old)):] {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// list names the checkpoints in a folder, the newest first.
func list(folder string) []string {
	found, _ := filepath.Glob(filepath.Join(escape(folder), filePrefix+"*"+fileSuffix)) // the pattern is well-formed
	slices.Sort(found)
	slices.Reverse(found)
	return found
}

// escape keeps a folder's own * and [ from being taken for a pattern.
func escape(folder string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(folder)
}

func checksum(values []namedTensor) (string, error) {
	sorted := slices.Clone(values)
	slices.SortFunc(sorted, func(a, b namedTensor) int { return strings.Compare(a.name, b.name) })
	hash := sha256.New()
	for _, v := range sorted {
		fmt.Fprintln(hash, v.name, v.value.Shape())
		if err := v.value.ConstBytes(func(raw []byte) { hash.Write(raw) }); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// errOlder is what a checkpoint of an earlier version of the package is.
var errOlder = errors.New("it was written by an earlier version, which kept less of a run: train again, in another folder")

// read reads one checkpoint, and checks that it is whole.
func read(path string) (about saved, values []namedTensor, err error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return about, nil, err
	}
	values, metadata, err := decode(file)
	if err != nil {
		return about, nil, fmt.Errorf("%s: %w", path, err)
	}
	if metadata["nami"] == "" {
		return about, nil, fmt.Errorf("%s: it is a safetensors file, and not one that nami wrote", path)
	}
	if err := json.Unmarshal([]byte(metadata["nami"]), &about); err != nil {
		return about, nil, fmt.Errorf("%s: %w: %w", path, errNotSafetensors, err)
	}
	switch {
	case about.Format < format:
		return about, nil, fmt.Errorf("%s: %w", path, errOlder)
	case about.Format > format:
		return about, nil, fmt.Errorf("%s: it was written by a later version, in format %d; this one reads %d", path, about.Format, format)
	}
	sum, err := checksum(values)
	if err == nil && sum != metadata["sha256"] {
		err = fmt.Errorf("%s: its checksum is wrong: the file was damaged", path)
	}
	return about, values, err
}

// newest reads the newest checkpoint in a folder that can be read. What is wrong with newer
// ones, which are left where they are, it notes in the history.
func newest(folder string) (about saved, values []namedTensor, err error) {
	var failures []error
	for _, path := range list(folder) {
		about, values, err := read(path)
		if err == nil {
			for _, failure := range failures {
				about.History.Notes = append(about.History.Notes, fmt.Sprintf("a checkpoint that can't be read was passed over, for the one before it: %v", failure))
			}
			return about, values, nil
		}
		failures = append(failures, err)
		if errors.Is(err, errOlder) {
			break
		}
	}
	if len(failures) > 0 {
		return about, nil, fmt.Errorf("train: no checkpoint in %s can be read: %w; move the folder away, or choose another name", folder, errors.Join(failures...))
	}
	return about, nil, os.ErrNotExist
}

// resume continues the run from its folder, if there is a checkpoint.
func (f *fit) resume() error {
	if info, err := os.Stat(f.folder); err == nil && !info.IsDir() {
		return fmt.Errorf("train: the checkpoint %s is a file: expected a folder, choose another name", f.folder)
	}
	about, values, err := newest(f.folder)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if about.Identity.isSaves() {
		return fmt.Errorf("train: the checkpoint in %s holds weights that Save kept, which no fit can resume: Load them into the store, and choose another name for the run", f.folder)
	}
	if difference := f.differs(about); difference != "" {
		return fmt.Errorf("train: the checkpoint in %s belongs to another run, saved %s: %s; choose another name, or remove the folder", f.folder, about.History.Saved.Format(time.DateTime), difference)
	}
	if err := put(f.store, about, values); err != nil {
		return err
	}
	for _, note := range about.History.Notes {
		if err := f.note(note); err != nil {
			return err
		}
	}
	about.History.Notes = f.history.Notes
	f.history, f.kept = &about.History, about.History.Steps()
	f.trainer.first, f.feeder.first, f.trainer.made = about.First, about.First, f.history.Steps()
	return nil
}

// differs lists what sets a checkpoint apart from this run, empty if nothing does. A first
// batch that isn't asked for is the one that the run has.
func (f *fit) differs(about saved) string {
	here, there := maps.Clone(f.identity), maps.Clone(about.Identity)
	if f.config.has("FirstBatch") {
		here["first batch"], there["first batch"] = strconv.Itoa(f.config.firstBatch), strconv.Itoa(about.First)
	}
	if difference := here.differs(there); difference != "" {
		return difference
	}
	if code := f.code.Differs(about.Code); code != "" {
		return "the code of the loss, its field or the step was another: " + code
	}
	return ""
}

// put sets variables of store, and makes those that it lacks. What isn't marked as
// trainable stays so: GoMLX's own loader makes everything trainable, the random state
// too, and Adam then repeats the same noise at each step.
func put(store *model.Store, about saved, values []namedTensor) error {
	slices.SortFunc(values, func(a, b namedTensor) int { return strings.Compare(a.name, b.name) })
	for _, v := range values { // all or none
		variable := store.GetVariable(v.name)
		if variable != nil && !variable.Shape().Equal(v.value.Shape()) {
			return fmt.Errorf("train: the variable %s is %s in the store and %s in the checkpoint: it belongs to another model",
				v.name, variable.Shape(), v.value.Shape())
		}
	}
	for _, v := range values {
		variable := store.GetVariable(v.name)
		var err error
		if variable == nil {
			err = gomlx.Try(func() error {
				variable = store.VariableWithValue(v.name, v.value)
				return nil
			})
		} else {
			err = variable.SetValue(v.value)
		}
		if err != nil {
			return fmt.Errorf("train: the variable %s: %w", v.name, err)
		}
		variable.SetTrainable(slices.Contains(about.Trainable, v.name))
	}
	store.SetParam(madeParam, about.Batches)
	addState(store, about.State)
	return addFields(store, about)
}

// addFields notes whose the weights are that were put into a store.
func addFields(store *model.Store, about saved) error {
	if err := fingerprint.AddField(store, about.Trainable, nil); err != nil {
		return err
	}
	for _, field := range about.Fields {
		if err := fingerprint.AddField(store, nil, &field); err != nil {
			return err
		}
	}
	return nil
}

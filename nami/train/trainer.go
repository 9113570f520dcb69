package train

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/checkpoint"
	"github.com/nami-flow/go-nami/nami/internal/fingerprint"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Trainer makes steps of an optimiser on batches that it is given, for loops of your own;
// [Fit] is one. One goroutine at a time may use a trainer and its store.
type Trainer struct {
	backend compute.Backend
	store   *model.Store
	stepper *stepper
	program *program

	first, made int // the batches that the store was trained on before, and steps since
	losses      []losses
	known       map[string]bool // what was checked, by the batches' parts and shapes
	failed      bool
}

// ofTrainers are the options that a [Trainer] has.
var ofTrainers = []string{
	"Seed", "FirstBatch", "Optimizer", "LearningRate", "Schedule", "WeightDecay", "ClipNorm", "Accumulate", "Average", "AfterStep",
}

// NewTrainer prepares training of the variables in store: those that the loss needs and
// the store lacks are made by the first step, and the optimiser and the averages start
// afresh. It takes those of [Fit]'s options that say how a step is made: [Seed],
// [FirstBatch], [Optimizer], [LearningRate], [Schedule], [WeightDecay], [ClipNorm],
// [Accumulate], [Average] and [AfterStep].
func NewTrainer(backend compute.Backend, store *model.Store, l loss.Loss, options ...Option) (*Trainer, error) {
	c, err := configure("a Trainer", options, ofTrainers...)
	if err != nil {
		return nil, err
	}
	return newTrainer(backend, store, newStepper(c, l, 0))
}

func newTrainer(backend compute.Backend, store *model.Store, s *stepper) (*Trainer, error) {
	if err := checkParts(backend, store, s.loss); err != nil {
		return nil, err
	}
	t := &Trainer{backend: backend, store: store, stepper: s, first: firstBatch(store, s.config), known: map[string]bool{}}
	checkpoint.SetWhich(store, "") // they are going to be others
	err := gomlx.Try(func() error {
		if err := forget(store, s.optimizer); err != nil {
			return err
		}
		return store.SetRNGStateFromSeed(t.noiseSeed())
	})
	if err != nil {
		return nil, err
	}
	t.program = newProgram(backend, store, s.update)
	return t, nil
}

// checkParts refuses what no training can do without.
func checkParts(backend compute.Backend, store *model.Store, l loss.Loss) error {
	switch {
	case backend == nil:
		return errors.New("train: " + gomlx.NoBackend)
	case store == nil:
		return errors.New("train: the store is nil: make one with model.NewStore(), and train or load a model in it")
	case l == nil:
		return errors.New("train: the loss is nil: give one, as loss.FM{Field: …}")
	}
	return nil
}

// firstBatch is the number of the first batch.
func firstBatch(store *model.Store, c config) int {
	if c.firstBatch == continued {
		return checkpoint.BatchesMade(store)
	}
	return c.firstBatch
}

// noiseSeed is where the random numbers of the first step start: at the seed itself if
// nothing came before.
func (t *Trainer) noiseSeed() int64 {
	if t.first == 0 {
		return t.stepper.seed
	}
	return gomlx.Derive(t.stepper.seed, uint64(t.first))
}

// Steps makes n steps, all on the same batch, each with random numbers of its own. The
// batch may be of other shapes than the one before: a program is compiled for each
// combination, and the sixteen most recently used ones are kept. Where the backend can, many
// steps are one call of it: that is faster than n calls of Steps, with the same bits. It
// doesn't wait for the losses: see [Trainer.Losses]. With [Accumulate], each step goes
// through the batch as often as it says.
func (t *Trainer) Steps(batch data.Events, n int) error {
	if n < 1 {
		return fmt.Errorf("train: asked for %d steps: expected at least 1", n)
	}
	if err := batch.Validate(); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if err := unitsOf(t.stepper.loss).admit(batch); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return t.steps(feed{fixed: batch}, batch, n)
}

// steps makes n steps of a feed whose batches are like one of them.
func (t *Trainer) steps(f feed, like data.Events, n int) error {
	if t.failed {
		return errors.New("train: an earlier step failed: make a new trainer, and load the weights from a checkpoint")
	}
	if _, err := t.check(like); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	batches := n * t.stepper.accumulate
	for done := 0; done < batches; {
		made, err := t.program.run(f, batches-done)
		if err != nil {
			// The weights were given away to the step, and an Exec that failed can hang.
			t.failed = true
			return err
		}
		t.losses = append(t.losses, made)
		done += made.n
		f = f.from(made.n)
	}
	t.made += n
	checkpoint.SetBatchesMade(t.store, t.first+t.made*t.stepper.accumulate)
	return t.note(like)
}

// shapesOf tells batches of different parts and shapes apart.
func shapesOf(e data.Events) string {
	var text string
	for _, p := range e.Parts() {
		text += fmt.Sprintf("%s %s; ", p.Name, p.Value.Shape())
	}
	return text
}

// check builds the graph of a step on batches like this one, in a graph that is thrown away,
// unless it was built before: what is wrong with the loss or the batch is said before
// anything is moved. It returns the code of what it built.
func (t *Trainer) check(like data.Events) (fingerprint.Code, error) {
	key := "checked: " + shapesOf(like)
	if t.known[key] {
		return fingerprint.Code{}, nil
	}
	code, err := t.code(like)
	if err != nil {
		return code, err
	}
	if t.stepper.accumulate > 1 && len(code.Variables) > 0 {
		// The graph of a step that is only sometimes applied needs its variables before.
		if err := t.makeVariables(like); err != nil {
			return code, err
		}
	}
	t.known[key] = true
	return code, nil
}

// code is that of a step on batches like this one.
func (t *Trainer) code(like data.Events) (fingerprint.Code, error) {
	return fingerprint.OfGraph(t.backend, t.store, func(g *Graph) []*Node {
		out := []*Node{t.stepper.update(t.store.RootScope(), inputsLike(g, like.Parts()))}
		changed := map[string]*Node{}
		for v := range t.store.IterVariables() {
			if v.ChangedInGraph(g) {
				changed[v.Path()] = v.NodeValue(g)
			}
		}
		for _, path := range slices.Sorted(maps.Keys(changed)) {
			out = append(out, changed[path])
		}
		return out
	})
}

// makeVariables makes the variables of a step, without values.
func (t *Trainer) makeVariables(like data.Events) error {
	return gomlx.Try(func() error {
		g := NewGraph(t.backend, "variables")
		defer g.Finalize()
		model.SetStore(g, t.store)
		t.stepper.update(t.store.RootScope(), inputsLike(g, like.Parts()))
		return nil
	})
}

// note keeps in the store what the weights were trained as: once for each kind of batch.
func (t *Trainer) note(like data.Events) error {
	key := "noted: " + shapesOf(like)
	if t.known[key] {
		return nil
	}
	t.known[key] = true
	var weights []string
	for v := range t.store.IterVariables() {
		if v.Trainable && !checkpoint.IsState(t.store, v.Path()) {
			weights = append(weights, v.Path())
		}
	}
	l, ok := t.stepper.loss.(loss.OfField)
	if !ok {
		return fingerprint.AddField(t.store, weights, nil)
	}
	f := l.LearnedField()
	if f == nil {
		return fingerprint.AddField(t.store, weights, nil)
	}
	lead, event, err := shape.Split(like.X.Shape().Dimensions, f.EventRank())
	if err != nil {
		return err
	}
	var context []int
	if like.Context != nil {
		context = like.Context.Shape().Dimensions[len(lead):]
	}
	units := unitsOf(t.stepper.loss)
	if event, context, err = units.shapes(event, context); err != nil {
		return err
	}
	kept, known, err := fingerprint.OfField(t.backend, t.store, f, event, context, like.X.DType())
	if err != nil || !known { // a field for one number of rows only, or whose variables are elsewhere
		return fingerprint.AddField(t.store, weights, nil)
	}
	if m, ok := l.(loss.OfModel); ok {
		learned := m.LearnedModel(event)
		if like.Source != nil { // which may come from elsewhere
			learned.Base = nil
		}
		kept.Model = fingerprint.OfModel(fingerprint.Parts{
			Prediction: learned.Prediction, Base: learned.Base, Path: learned.Path, Schedule: learned.Schedule,
			Transform: units.event, ContextTransform: units.context, Event: event, Context: context,
		})
	}
	return fingerprint.AddField(t.store, kept.Variables, &kept)
}

// Losses returns the losses of the steps made since the last call, and frees them: they
// wait on the device until then. Every hundred steps or so is often enough.
func (t *Trainer) Losses() ([]float64, error) {
	var values []float64
	for _, call := range t.losses {
		err := call.batches.ConstFlatData(func(flat any) {
			values = append(values, flat.([]float64)[:call.n]...)
		})
		if err = errors.Join(err, call.batches.FinalizeAll()); err != nil {
			return nil, err
		}
	}
	t.losses = t.losses[:0]
	k := t.stepper.accumulate
	if k == 1 {
		return values, nil
	}
	steps := make([]float64, len(values)/k)
	for i, v := range values {
		steps[i/k] += v / float64(k)
	}
	return steps, nil
}

// firstNonFinite is the index of the first NaN or infinite value, -1 if there is none.
func firstNonFinite(values []float64) int {
	return slices.IndexFunc(values, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
}

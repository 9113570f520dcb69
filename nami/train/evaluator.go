package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/checkpoint"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/loop"
	"github.com/nami-flow/go-nami/nami/loss"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Evaluator measures the loss of events with the weights in a store as they are when it is
// asked, and without training: dropout is off. It is compiled once for all numbers of events
// of one kind. One goroutine at a time may use an evaluator, and nothing may train its store
// meanwhile.
type Evaluator struct {
	store *model.Store
	loss  loss.Loss
	chunk int   // rows that go to the device at once
	seed  int64 // of the noise
	which string

	backend  compute.Backend
	programs map[string]*measure // by the parts of events
}

// measure is a program for the loss of events of the same parts.
type measure struct {
	single *loop.Single

	// weighted says whether the loss looks at weights, so that a chunk can be filled up with
	// events of weight 0; else the last one has a size of its own.
	weighted bool

	reduction loss.Reduction // that of the loss, once it is known
	known     bool
}

// NewEvaluator returns an evaluator of a loss with the weights in store. Of the options, it
// takes [Seed], which its noise and times depend on, and [BatchSize], the number of events that
// are on the device at once; 256 if not given. The same seed, batch size and events have the
// same noise and times in each call, so that losses compare.
func NewEvaluator(backend compute.Backend, store *model.Store, l loss.Loss, options ...Option) (*Evaluator, error) {
	c, err := configure("an Evaluator", options, "Seed", "BatchSize")
	if err != nil {
		return nil, err
	}
	if err := checkParts(backend, store, l); err != nil {
		return nil, err
	}
	return newEvaluator(backend, store, l, c, ""), nil
}

func newEvaluator(backend compute.Backend, store *model.Store, l loss.Loss, c config, which string) *Evaluator {
	e := &Evaluator{
		store: store, loss: l, chunk: c.batchSize, seed: c.seed, which: which,
		backend: backend, programs: map[string]*measure{},
	}
	if e.chunk == 0 {
		e.chunk = 256
	}
	return e
}

// Evaluate returns the loss that one batch of all events would have, whatever the batch size:
// Σwℓ/Σw, or Σwℓ if the loss is a sum, as one that doubles when all weights do. It is put
// together from parts of the batch size. A loss that doesn't look at weights is taken for a
// mean. It looks at ctx between parts. A loss that isn't finite is an error that says which
// weight or which events are to blame.
func (e *Evaluator) Evaluate(ctx context.Context, events data.Events) (float64, error) {
	if ctx == nil {
		return 0, errors.New("train: the context ctx is nil: give context.Background()")
	}
	if err := events.Validate(); err != nil {
		return 0, fmt.Errorf("train: %w", err)
	}
	if err := unitsOf(e.loss).admit(events); err != nil {
		return 0, fmt.Errorf("train: %w", err)
	}
	chunks, err := e.cut(events)
	if err != nil {
		return 0, err
	}
	value, err := e.measure(ctx, chunks)
	if err := errors.Join(err, chunks.free()); err != nil {
		return 0, fmt.Errorf("train: %w", err)
	}
	return value, nil
}

// chunks are events in pieces of at most one size.
type chunks struct {
	program *measure
	pieces  []piece
	size    int // rows of a chunk
	rows    int // of all
}

// piece is a chunk, or the events of one sign of a chunk.
type piece struct {
	events data.Events
	first  int             // row of the chunk
	count  float64         // its sum of weights, or number of events
	state  *tensors.Tensor // of the random numbers
}

// cut cuts events into pieces.
func (e *Evaluator) cut(events data.Events) (*chunks, error) {
	program, err := e.program(events)
	if err != nil {
		return nil, err
	}
	weights := slices.Repeat([]float64{1}, events.Len())
	if events.Weight != nil {
		if err := gomlx.EachFloat(events.Weight, func(i int, w float64) { weights[i] = w }); err != nil {
			return nil, err
		}
	}
	c := &chunks{program: program, size: e.chunk, rows: events.Len()}
	for i, first := 0, 0; first < c.rows; i, first = i+1, first+c.size {
		if err := c.add(events, first, weights[first:min(first+c.size, c.rows)], gomlx.Derive(e.seed, uint64(i))); err != nil {
			return nil, errors.Join(err, c.free())
		}
	}
	return c, nil
}

// add adds the chunk that begins at row first. Where its weights nearly cancel, so that a
// mean would be divided by next to nothing, the two signs are pieces of their own.
func (c *chunks) add(events data.Events, first int, weights []float64, seed int64) error {
	if !c.program.weighted {
		return c.addPiece(events, first, weights, float64(len(weights)), seed)
	}
	positive, negative := make([]float64, len(weights)), make([]float64, len(weights))
	up, down := 0.0, 0.0
	for i, w := range weights {
		positive[i], negative[i] = max(w, 0), min(w, 0)
		up, down = up+positive[i], down+negative[i]
	}
	if sum, size := up+down, up-down; size == 0 || 2*math.Abs(sum) >= size {
		return c.addPiece(events, first, weights, sum, seed)
	}
	return errors.Join(c.addPiece(events, first, positive, up, seed), c.addPiece(events, first, negative, down, seed))
}

// addPiece adds the events from row first on, with these weights, which count as much as
// that together. What fills it up are copies of the first.
func (c *chunks) addPiece(events data.Events, first int, weights []float64, count float64, seed int64) error {
	if count == 0 {
		return nil
	}
	withWeight := c.program.weighted || events.Weight != nil
	if c.program.weighted {
		weights = append(slices.Clone(weights), make([]float64, c.size-len(weights))...)
	}
	rows := make([]int, len(weights))
	for i := range rows {
		rows[i] = first
		if first+i < c.rows {
			rows[i] = first + i
		}
	}
	state, err := RNGStateFromSeed(seed)
	if err != nil {
		return err
	}
	events.Weight = nil
	picked, err := events.Rows(rows...)
	if err != nil {
		return errors.Join(err, state.FinalizeAll())
	}
	if withWeight {
		picked.Weight = gomlx.FromFloats(events.X.DType(), weights, len(weights))
	}
	c.pieces = append(c.pieces, piece{picked, first, count, state})
	return nil
}

func (c *chunks) free() error {
	var errs []error
	for _, piece := range c.pieces {
		for _, p := range piece.events.Parts() {
			errs = append(errs, p.Value.FinalizeAll())
		}
		errs = append(errs, piece.state.FinalizeAll())
	}
	return errors.Join(errs...)
}

// measure is the loss of chunks.
func (e *Evaluator) measure(ctx context.Context, c *chunks) (float64, error) {
	sum, count := 0.0, 0.0
	for _, p := range c.pieces {
		if err := context.Cause(ctx); err != nil {
			return 0, fmt.Errorf("stopped after %d of %d events: %w", p.first, c.rows, err)
		}
		value, err := c.program.one(p)
		if err != nil {
			return 0, err
		}
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return 0, e.blame(value, p.first, min(p.first+c.size, c.rows))
		}
		if err := e.learn(c.program, p, value); err != nil {
			return 0, err
		}
		if c.program.reduction == loss.Sum {
			sum, count = sum+value, 1
		} else {
			sum, count = sum+value*p.count, count+p.count
		}
	}
	return sum / count, nil
}

// learn finds out, once, whether the loss is a sum, with weights that are twice those of a
// piece whose loss is value: a sum is then twice that, and a mean the same. One of 0 tells
// nothing, and adds nothing to either.
func (e *Evaluator) learn(program *measure, p piece, value float64) (err error) {
	if program.known || !program.weighted || value == 0 {
		return nil
	}
	weights := make([]float64, p.events.Len())
	if err := gomlx.EachFloat(p.events.Weight, func(i int, w float64) { weights[i] = 2 * w }); err != nil {
		return err
	}
	p.events.Weight = gomlx.FromFloats(p.events.X.DType(), weights, len(weights))
	defer func() { err = errors.Join(err, p.events.Weight.FinalizeAll()) }()
	twice, err := program.one(p)
	if err != nil {
		return err
	}
	switch ratio := twice / value; {
	case math.Abs(ratio-1) < 1e-4:
		program.reduction = loss.Mean
	case math.Abs(ratio-2) < 1e-4:
		program.reduction = loss.Sum
	default:
		return fmt.Errorf("the loss %T of the events from row %d on is %g, and %g with weights twice as large: expected the same, of a weighted mean Σwℓ/Σw, or twice that, of a sum Σwℓ", e.loss, p.first, value, twice)
	}
	program.known = true
	return nil
}

// one is the loss of one piece.
func (m *measure) one(p piece) (value float64, err error) {
	var in []*tensors.Tensor
	for _, part := range p.events.Parts() {
		in = append(in, part.Value)
	}
	out, err := m.single.Call([]*tensors.Tensor{p.state}, in)
	if err != nil {
		return 0, err
	}
	return tensors.ToScalar[float64](out[0]), out[0].FinalizeAll()
}

// blame says why a loss isn't finite.
func (e *Evaluator) blame(value float64, first, last int) error {
	bad, err := checkpoint.NonFinite(e.store)
	if err != nil {
		return err
	}
	if bad != "" {
		return fmt.Errorf("the loss is %v, as %s", value, bad)
	}
	return fmt.Errorf("the loss of the events in rows %d to %d is %v, and the weights are finite: their values, or the sum of their weights, are out of proportion", first, last-1, value)
}

// program is that for events of the same parts, which is made if it isn't there.
func (e *Evaluator) program(events data.Events) (*measure, error) {
	key := partNames(events)
	if known := e.programs[key]; known != nil {
		return known, nil
	}
	names := strings.Fields(key)
	weighted, err := e.looksAtWeights(events)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	if weighted && events.Weight == nil {
		names = append(names, "weight")
	}
	if e.store.GetVariable(checkpoint.RNGPath) == nil {
		if err := e.store.SetRNGStateFromSeed(e.seed); err != nil {
			return nil, err
		}
	}
	made := &measure{weighted: weighted, single: loop.NewSingle(e.backend, e.store, func(scope *model.Scope, in [][]*Node) []*Node {
		parts := map[string]*Node{}
		for i, name := range names {
			parts[name] = in[1][i]
		}
		return []*Node{e.build(scope, in[0][0], batchOf(parts))}
	})}
	e.programs[key] = made
	return made, nil
}

// looksAtWeights builds the loss of events in graphs that are thrown away, with weights and
// then without, and says whether it depends on them.
func (e *Evaluator) looksAtWeights(events data.Events) (looks bool, err error) {
	known := checkpoint.Paths(e.store)
	try := func(events data.Events) error {
		return gomlx.Try(func() error {
			g := NewGraph(e.backend, "loss")
			defer g.Finalize()
			model.SetStore(g, e.store)
			b := inputsLike(g, events.Parts())
			value := e.loss.Loss(e.store.RootScope(), b)
			looks = b.Weight != nil && dependsOn(value, b.Weight)
			return nil
		})
	}
	weighted := events
	if weighted.Weight == nil {
		weighted.Weight = gomlx.FromFloats(events.X.DType(), make([]float64, events.Len()), events.Len())
	}
	if err = try(weighted); err != nil || !looks { // some losses refuse weights
		err = try(events)
		looks = looks && err == nil
	}
	return looks, errors.Join(err, e.lacks(known))
}

// lacks is an error if the store had not all of the loss's variables: known are those that
// it had. The others are taken out of it again.
func (e *Evaluator) lacks(known []string) error {
	var missing []string
	for _, path := range checkpoint.Paths(e.store) {
		if slices.Contains(known, path) {
			continue
		}
		if path != checkpoint.RNGPath {
			missing = append(missing, path)
		}
		if err := e.store.DeleteVariable(path); err != nil {
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("the store lacks %d of the loss's variables (%s): train the model or load its checkpoint first", len(missing), strings.Join(missing[:min(3, len(missing))], ", "))
}

// build is the loss of a batch with a given state of the random numbers, and with the
// weights that are asked for. The store's own are left as they are.
func (e *Evaluator) build(scope *model.Scope, state *Node, b loss.Batch) *Node {
	g, store := state.Graph(), scope.Store()
	random := store.GetVariable(checkpoint.RNGPath)
	before := random.NodeValue(g)
	random.SetNodeValue(state)
	restore := e.substitute(g)
	value := e.loss.Loss(scope, b)
	restore()
	random.SetNodeValue(before)
	if !value.IsScalar() {
		panic(fmt.Errorf("train: the loss %T has shape %s: it must be a scalar", e.loss, value.Shape()))
	}
	return ConvertDType(value, dtypes.Float64)
}

// substitute gives variables the values that are asked for in a graph, and returns what gives
// them back their own.
func (e *Evaluator) substitute(g *Graph) (restore func()) {
	if e.which == "" {
		return func() {}
	}
	chosen, err := checkpoint.Choose(e.store, e.which)
	if err != nil {
		panic(err)
	}
	own := map[*model.Variable]*Node{}
	for _, c := range chosen {
		if c.From != c.To {
			v := e.store.GetVariable(c.To)
			own[v] = v.NodeValue(g)
			v.SetNodeValue(e.store.GetVariable(c.From).NodeValue(g))
		}
	}
	return func() {
		for v, value := range own {
			v.SetNodeValue(value)
		}
	}
}

// dependsOn says whether a node is computed from another.
func dependsOn(n, from *Node) bool {
	seen := map[*Node]bool{}
	var visit func(n *Node) bool
	visit = func(n *Node) bool {
		if n == from {
			return true
		}
		if seen[n] {
			return false
		}
		seen[n] = true
		return slices.ContainsFunc(n.Inputs(), visit)
	}
	return visit(n)
}

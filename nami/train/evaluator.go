package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/nami/data"
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

	// filled says whether the loss looks at weights, so that a chunk can be filled up with
	// events of weight 0; else the last one has a size of its own.
	filled bool
}

// NewEvaluator returns the one of a loss with the weights in store. Of the options, it takes
// [Seed], which its noise and times depend on, and [BatchSize], the number of events that are
// on the device at once; 256 if not given. The same seed, batch size and events have the
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

// Evaluate is the loss of the events, Σwℓ/Σw if they have weights: the mean over chunks of a
// batch's size, each of which counts by its number of events or its sum of weights. It looks
// at ctx between chunks. A loss that isn't finite is an error that says which weight or
// which events are to blame.
func (e *Evaluator) Evaluate(ctx context.Context, events data.Events) (float64, error) {
	if ctx == nil {
		return 0, errors.New("train: the context ctx is nil: give context.Background()")
	}
	if err := events.Validate(); err != nil {
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

// chunks are events in pieces of one size.
type chunks struct {
	program *measure
	pieces  []data.Events
	counts  []float64         // by how much each counts
	states  []*tensors.Tensor // of the random numbers
	size    int               // rows of a piece
	rows    int               // of all
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
	for first := 0; first < c.rows; first += c.size {
		if err := c.add(events, weights, first, gomlx.Derive(e.seed, uint64(len(c.pieces)))); err != nil {
			return nil, errors.Join(err, c.free())
		}
	}
	return c, nil
}

// add adds the piece that begins at row first. What fills it up are copies of that row.
func (c *chunks) add(events data.Events, weights []float64, first int, seed int64) error {
	n := min(c.size, c.rows-first)
	size, sum := n, 0.0
	if c.program.filled {
		size = c.size
	}
	rows, weight := make([]int, size), make([]float64, size)
	for i := range rows {
		rows[i] = first
		if i < n {
			rows[i], weight[i] = first+i, weights[first+i]
			sum += weight[i]
		}
	}
	withWeight := c.program.filled || events.Weight != nil
	events.Weight = nil
	piece, err := events.Rows(rows...)
	if err != nil {
		return err
	}
	if withWeight {
		piece.Weight = gomlx.FromFloats(events.X.DType(), weight, size)
	}
	state, err := RNGStateFromSeed(seed)
	if err != nil {
		return err
	}
	c.pieces, c.counts, c.states = append(c.pieces, piece), append(c.counts, sum), append(c.states, state)
	return nil
}

func (c *chunks) free() error {
	var errs []error
	for i, piece := range c.pieces {
		for _, p := range piece.Parts() {
			errs = append(errs, p.Value.FinalizeAll())
		}
		errs = append(errs, c.states[i].FinalizeAll())
	}
	return errors.Join(errs...)
}

// measure is the loss of chunks.
func (e *Evaluator) measure(ctx context.Context, c *chunks) (float64, error) {
	sum, count := 0.0, 0.0
	for i, piece := range c.pieces {
		if err := context.Cause(ctx); err != nil {
			return 0, fmt.Errorf("stopped after %d of %d events: %w", i*c.size, c.rows, err)
		}
		value, err := c.program.one(c.states[i], piece)
		if err != nil {
			return 0, err
		}
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return 0, e.blame(value, i*c.size, min((i+1)*c.size, c.rows))
		}
		sum, count = sum+value*c.counts[i], count+c.counts[i]
	}
	return sum / count, nil
}

// one is the loss of one piece.
func (m *measure) one(state *tensors.Tensor, piece data.Events) (float64, error) {
	var in []*tensors.Tensor
	for _, p := range piece.Parts() {
		in = append(in, p.Value)
	}
	out, err := m.single.Call([]*tensors.Tensor{state}, in)
	if err != nil {
		return 0, err
	}
	defer out[0].MustFinalizeAll()
	return tensors.ToScalar[float64](out[0]), nil
}

// blame says why a loss isn't finite.
func (e *Evaluator) blame(value float64, first, last int) error {
	bad, err := nonFinite(e.store)
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
	filled, err := e.looksAtWeights(events)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	if filled && events.Weight == nil {
		names = append(names, "weight")
	}
	if e.store.GetVariable(rngPath) == nil {
		if err := e.store.SetRNGStateFromSeed(e.seed); err != nil {
			return nil, err
		}
	}
	made := &measure{filled: filled, single: loop.NewSingle(e.backend, e.store, func(scope *model.Scope, in [][]*Node) []*Node {
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
	known := paths(e.store)
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
	for _, path := range paths(e.store) {
		if slices.Contains(known, path) {
			continue
		}
		if path != rngPath {
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
	random := store.GetVariable(rngPath)
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
	chosen, err := choose(e.store, paths(e.store), e.which)
	if err != nil {
		panic(err)
	}
	own := map[*model.Variable]*Node{}
	for _, c := range chosen {
		if c.from != c.to {
			v := e.store.GetVariable(c.to)
			own[v] = v.NodeValue(g)
			v.SetNodeValue(e.store.GetVariable(c.from).NodeValue(g))
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

package train

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/loop"
	"github.com/nami-flow/go-nami/nami/loss"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// burst is how many batches one call of a compiled loop goes through at most: they share
// the 0.2 to 0.3 ms that a call costs the host and the device's threads.
const burst = 64

// handedOver is how many bytes of batches made on the host one call takes at most.
const handedOver = 16 << 20

// maxKept is how many programs are kept, the most recently used ones: one for each
// combination of shapes.
const maxKept = 16

// losses holds the losses of the first n of a call's batches.
type losses struct {
	batches *tensors.Tensor
	n       int
}

// update builds one batch's part of a step: it changes the variables, and returns the loss.
type update func(scope *model.Scope, b loss.Batch) *Node

// feed is what batches are made of.
type feed struct {
	// fixed is the same for all batches: it is the batch, or the events that its rows are of.
	fixed data.Events

	// rows are those of each batch; nil if fixed is the batch.
	rows [][]int32

	// own is what each batch has of its own, made on the host; nil if nothing.
	own []data.Events
}

// from leaves out the first n batches.
func (f feed) from(n int) feed {
	if f.rows != nil {
		f.rows = f.rows[n:]
	}
	if f.own != nil {
		f.own = f.own[n:]
	}
	return f
}

// layout is what a program's inputs are, in their order: the parts that are fixed, the rows
// if there are any, the parts that batches have of their own; and for how many batches.
type layout struct {
	fixed, own string // names of parts, separated by spaces
	rows       bool
	length     int
}

func partNames(e data.Events) string {
	var names []string
	for _, p := range e.Parts() {
		names = append(names, p.Name)
	}
	return strings.Join(names, " ")
}

// program makes steps of training: many in one compiled loop where that is faster and
// possible, else one in each call. Its steps are the same bits however they are split into
// calls.
type program struct {
	backend compute.Backend
	store   *model.Store
	update  update
	kept    []kept // the most recently used one last
	single  bool   // what is built can't stand in a compiled loop
	failure error
}

// kept is what is compiled for a layout and shapes.
type kept struct {
	key  string
	exec *model.Exec
}

func newProgram(backend compute.Backend, store *model.Store, update update) *program {
	// In pure Go a call costs little, and a loop a tenth of the speed.
	return &program{backend: backend, store: store, update: update, single: backend.Name() != "xla"}
}

// layoutOf says how a feed goes into a program.
func (p *program) layoutOf(f feed) layout {
	l := layout{fixed: partNames(f.fixed), rows: f.rows != nil, length: 1}
	size := 0
	if f.own != nil {
		l.own = partNames(f.own[0])
		for _, part := range f.own[0].Parts() {
			size += int(part.Value.ByteSize())
		}
	}
	if !p.single {
		l.length = min(burst, max(1, handedOver/max(1, size)))
	}
	return l
}

// run goes through as many of n batches as one call can, and returns their losses.
func (p *program) run(f feed, n int) (out losses, err error) {
	exec, l, err := p.compiled(f)
	if err != nil {
		return losses{}, err
	}
	n = min(n, l.length)
	var in, made []*tensors.Tensor
	defer func() {
		for _, t := range made {
			err = errors.Join(err, t.FinalizeAll())
		}
	}()
	add := func(t *tensors.Tensor) { in, made = append(in, t), append(made, t) }
	add(tensors.FromScalar(int32(n)))
	for _, part := range f.fixed.Parts() {
		in = append(in, part.Value)
	}
	if l.rows {
		size := len(f.rows[0])
		flat := make([]int32, l.length*size)
		for i, row := range f.rows[:n] {
			copy(flat[i*size:], row)
		}
		add(tensors.FromFlatDataAndDimensions(flat, l.length, size))
	}
	if l.own != "" {
		for i := range f.own[0].Parts() {
			stacked, err := stack(f.own[:n], i, l.length)
			if err != nil {
				return losses{}, err
			}
			add(stacked)
		}
	}
	err = gomlx.Try(func() error {
		values, err := exec.Call(in)
		if err == nil {
			out = losses{values[0], n}
		}
		return err
	})
	return out, p.plainly(err)
}

// stack puts a part of each batch beside the others on a new first axis of that length.
func stack(batches []data.Events, part, length int) (*tensors.Tensor, error) {
	shape := batches[0].Parts()[part].Value.Shape()
	out := tensors.FromShape(shapes.Make(shape.DType, append([]int{length}, shape.Dimensions...)...))
	var reading error
	writing := out.MutableBytes(func(to []byte) {
		for i, batch := range batches {
			err := batch.Parts()[part].Value.ConstBytes(func(from []byte) { copy(to[i*len(from):], from) })
			reading = errors.Join(reading, err)
		}
	})
	if err := errors.Join(reading, writing); err != nil {
		return nil, errors.Join(err, out.FinalizeAll())
	}
	return out, nil
}

// compiled is the program for a feed's layout and shapes, which is made if it isn't there.
// Some losses can't stand in a compiled loop (a sort, control flow of their own): their
// steps are made one by one.
func (p *program) compiled(f feed) (*model.Exec, layout, error) {
	l := p.layoutOf(f)
	in := []shapes.Shape{shapes.Make(dtypes.Int32)}
	for _, part := range f.fixed.Parts() {
		in = append(in, part.Value.Shape())
	}
	if l.rows {
		in = append(in, shapes.Make(dtypes.Int32, l.length, len(f.rows[0])))
	}
	if l.own != "" {
		for _, part := range f.own[0].Parts() {
			shape := part.Value.Shape()
			in = append(in, shapes.Make(shape.DType, append([]int{l.length}, shape.Dimensions...)...))
		}
	}
	key := fmt.Sprint(l, in)
	if exec := p.find(key); exec != nil {
		return exec, l, nil
	}
	exec, err := p.exec(l)
	if err != nil {
		return nil, l, err
	}
	err = gomlx.Try(func() error {
		_, err := exec.Compile(in...)
		return err
	})
	switch {
	case err == nil:
		p.keep(key, exec)
		return exec, l, nil
	case l.length == 1:
		return nil, l, p.plainly(err)
	}
	p.single = true
	exec.Finalize()
	p.drop(len(p.kept))
	return p.compiled(f)
}

// find returns what is kept for key and makes it the most recently used one; nil if nothing
// is.
func (p *program) find(key string) *model.Exec {
	i := slices.IndexFunc(p.kept, func(k kept) bool { return k.key == key })
	if i < 0 {
		return nil
	}
	found := p.kept[i]
	p.kept = append(slices.Delete(p.kept, i, i+1), found)
	return found.exec
}

// keep keeps exec for key, and drops what was not used for longest if there is too much.
func (p *program) keep(key string, exec *model.Exec) {
	p.kept = append(p.kept, kept{key, exec})
	p.drop(len(p.kept) - maxKept)
}

// drop drops the n that were not used for longest.
func (p *program) drop(n int) {
	n = max(0, n)
	for _, k := range p.kept[:n] {
		k.exec.Finalize()
	}
	p.kept = slices.Delete(p.kept, 0, n)
}

// exec is the program of a layout, not compiled yet.
func (p *program) exec(l layout) (exec *model.Exec, err error) {
	build := func(scope *model.Scope, in []*Node) []*Node { return p.many(l, scope, in) }
	if l.length == 1 {
		build = func(scope *model.Scope, in []*Node) []*Node { return p.one(l, scope, in) }
	}
	err = gomlx.Try(func() error {
		exec, err = model.NewExec(p.backend, p.store, func(scope *model.Scope, in []*Node) (out []*Node) {
			if p.failure = gomlx.Try(func() error { out = build(scope, in); return nil }); p.failure != nil {
				panic(p.failure)
			}
			return out
		})
		return err
	})
	return exec, err
}

// plainly is an error without GoMLX's account of where it was, if it is of building a graph.
func (p *program) plainly(err error) error {
	if err != nil && p.failure != nil {
		return p.failure
	}
	return err
}

// one builds a single batch's part.
func (p *program) one(l layout, scope *model.Scope, in []*Node) []*Node {
	g := in[0].Graph()
	value := p.update(scope, l.batch(Const(g, int32(0)), in[1:]))
	return []*Node{Reshape(ConvertDType(value, dtypes.Float64), 1)}
}

// many builds a loop of as many batches as in[0] says, on the data in the rest of in.
func (p *program) many(l layout, scope *model.Scope, in []*Node) []*Node {
	g := in[0].Graph()
	losses := Const(g, make([]float64, l.length))
	out, _, _ := loop.Steps(scope, Const(g, int32(0)), in[0], []*Node{losses}, in[1:],
		func(scope *model.Scope, i *Node, losses, data []*Node) (next []*Node, more *Node) {
			value := ConvertDType(p.update(scope, l.batch(i, data)), dtypes.Float64)
			batch := Iota(i.Graph(), shapes.Make(dtypes.Int32, l.length), 0)
			return []*Node{Where(Equal(batch, i), value, losses[0])}, nil
		})
	return out
}

// batch picks what batch i is of the inputs.
func (l layout) batch(i *Node, in []*Node) loss.Batch {
	parts := map[string]*Node{}
	next := func() *Node {
		n := in[0]
		in = in[1:]
		return n
	}
	fixed, at := strings.Fields(l.fixed), Reshape(i, 1)
	for _, name := range fixed {
		parts[name] = next()
	}
	if l.rows {
		chosen := InsertAxes(Gather(next(), at), -1)
		for _, name := range fixed {
			parts[name] = Gather(parts[name], chosen)
		}
	}
	for name := range strings.FieldsSeq(l.own) {
		parts[name] = Gather(next(), at)
	}
	return batchOf(parts)
}

// batchOf is the batch of parts by their names in [data.Events].
func batchOf(parts map[string]*Node) loss.Batch {
	return loss.Batch{X: parts["data"], Context: parts["context"], Mask: parts["mask"], Source: parts["source"], Weight: parts["weight"]}
}

// inputsLike are parameters of a graph like the parts of a batch.
func inputsLike(g *Graph, parts []data.Part) loss.Batch {
	nodes := map[string]*Node{}
	for _, p := range parts {
		nodes[p.Name] = Parameter(g, "batch: "+p.Name, p.Value.Shape())
	}
	return batchOf(nodes)
}

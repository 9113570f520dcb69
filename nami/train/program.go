package train

import (
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

// burst is how many steps one call of a compiled loop makes at most: they share the
// 0.2 to 0.3 ms that a call costs the host and the device's threads.
const burst = 64

// losses holds the losses of the first n of a call's steps.
type losses struct {
	steps *tensors.Tensor
	n     int
}

// update builds one step on a batch: it changes the variables, and returns the loss.
type update func(scope *model.Scope, b loss.Batch) *Node

// feed is what steps are given: all events, with their contexts, masks and weights if there
// are any; for each step its rows of them, nil for all in every step; and for each step the
// source of its batch, nil if there is none.
type feed struct {
	x, c, mask, weight *tensors.Tensor
	rows               [][]int32
	sources            []*tensors.Tensor
}

// has tells which of the optional inputs there are.
func (f feed) has() inputs {
	return inputs{c: f.c != nil, mask: f.mask != nil, weight: f.weight != nil, sources: f.sources != nil, rows: f.rows != nil}
}

// from leaves out the first n steps.
func (f feed) from(n int) feed {
	if f.rows != nil {
		f.rows = f.rows[n:]
	}
	if f.sources != nil {
		f.sources = f.sources[n:]
	}
	return f
}

// inputs says which of a program's optional inputs there are, in their order.
type inputs struct{ c, mask, weight, sources, rows bool }

// program makes steps of training: many in one compiled loop where that is faster and
// possible, else one in each call. Its steps are the same bits however they are split into calls.
type program struct {
	backend compute.Backend
	store   *model.Store
	update  update
	length  int // the most steps that one call makes
	inputs  inputs
	exec    *model.Exec
}

func newProgram(backend compute.Backend, store *model.Store, update update) (*program, error) {
	p := &program{backend: backend, store: store, update: update, length: 1}
	build := p.one
	if backend.Name() == "xla" { // in pure Go a call costs little, and a loop a tenth of the speed
		p.length, build = burst, p.many
	}
	return p, p.use(build)
}

func (p *program) use(build func(*model.Scope, []*Node) []*Node) error {
	return gomlx.Try(func() (err error) {
		if p.exec, err = model.NewExec(p.backend, p.store, build); err == nil {
			p.exec.SetMaxCache(-1)
		}
		return err
	})
}

// run makes as many of n steps as one call can, and returns their losses.
func (p *program) run(f feed, n int) (losses, error) {
	if err := p.compile(f); err != nil {
		return losses{}, err
	}
	n = min(n, p.length)
	count := tensors.FromScalar(int32(n))
	own := []*tensors.Tensor{count}
	defer func() {
		for _, t := range own {
			t.MustFinalizeAll()
		}
	}()
	in := []*tensors.Tensor{count, f.x}
	for _, t := range []*tensors.Tensor{f.c, f.mask, f.weight} {
		if t != nil {
			in = append(in, t)
		}
	}
	if f.sources != nil {
		sources, err := stack(f.sources[:n], p.length)
		if err != nil {
			return losses{}, err
		}
		in, own = append(in, sources), append(own, sources)
	}
	if f.rows != nil {
		size := len(f.rows[0])
		flat := make([]int32, p.length*size)
		for i, row := range f.rows[:n] {
			copy(flat[i*size:], row)
		}
		rows := tensors.FromFlatDataAndDimensions(flat, p.length, size)
		in, own = append(in, rows), append(own, rows)
	}
	var out []*tensors.Tensor
	err := gomlx.Try(func() (err error) {
		out, err = p.exec.Call(in)
		return err
	})
	if err != nil {
		return losses{}, err
	}
	return losses{out[0], n}, nil
}

// stack puts tensors of one shape beside each other on a new first axis of that length.
func stack(ts []*tensors.Tensor, length int) (*tensors.Tensor, error) {
	shape := ts[0].Shape().Clone()
	shape.Dimensions = append([]int{length}, shape.Dimensions...)
	out := tensors.FromShape(shape)
	for i, t := range ts {
		err := t.ConstBytes(func(from []byte) {
			out.MutableBytes(func(to []byte) { copy(to[i*len(from):], from) })
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// compile makes the program for these inputs, if it isn't there. Some losses can't stand
// in a compiled loop (a sort, control flow of their own): their steps are made one by one.
func (p *program) compile(f feed) error {
	p.inputs = f.has()
	in := []shapes.Shape{shapes.Make(dtypes.Int32), f.x.Shape()}
	for _, t := range []*tensors.Tensor{f.c, f.mask, f.weight} {
		if t != nil {
			in = append(in, t.Shape())
		}
	}
	if f.sources != nil {
		shape := f.sources[0].Shape()
		in = append(in, shapes.Make(shape.DType, append([]int{p.length}, shape.Dimensions...)...))
	}
	if f.rows != nil {
		in = append(in, shapes.Make(dtypes.Int32, p.length, len(f.rows[0])))
	}
	err := gomlx.Try(func() error {
		_, err := p.exec.Compile(in...)
		return err
	})
	if err == nil || p.length == 1 {
		return err
	}
	p.exec.Finalize()
	p.length = 1
	if err := p.use(p.one); err != nil {
		return err
	}
	return p.compile(f)
}

// one builds a single step; in is as many has it.
func (p *program) one(scope *model.Scope, in []*Node) []*Node {
	g := in[0].Graph()
	value := p.update(scope, p.batch(Const(g, int32(0)), in[1:]))
	return []*Node{Reshape(ConvertDType(value, dtypes.Float64), 1)}
}

// many builds a loop of as many steps as in[0] says, on the data in the rest of in.
func (p *program) many(scope *model.Scope, in []*Node) []*Node {
	g := in[0].Graph()
	losses := Const(g, make([]float64, burst))
	out, _, _ := loop.Steps(scope, Const(g, int32(0)), in[0], []*Node{losses}, in[1:],
		func(scope *model.Scope, i *Node, losses, data []*Node) (next []*Node, more *Node) {
			value := ConvertDType(p.update(scope, p.batch(i, data)), dtypes.Float64)
			step := Iota(i.Graph(), shapes.Make(dtypes.Int32, burst), 0)
			return []*Node{Where(Equal(step, i), value, losses[0])}, nil
		})
	return out
}

// batch picks what step i learns from.
func (p *program) batch(i *Node, data []*Node) (b loss.Batch) {
	take := func(there bool) (n *Node) {
		if there {
			n, data = data[0], data[1:]
		}
		return n
	}
	b.X, b.Context, b.Mask, b.Weight = take(true), take(p.inputs.c), take(p.inputs.mask), take(p.inputs.weight)
	at := Reshape(i, 1)
	if sources := take(p.inputs.sources); sources != nil {
		b.Source = Gather(sources, at)
	}
	if rows := take(p.inputs.rows); rows != nil {
		chosen := InsertAxes(Gather(rows, at), -1)
		for _, n := range []**Node{&b.X, &b.Context, &b.Mask, &b.Weight} {
			if *n != nil {
				*n = Gather(*n, chosen)
			}
		}
	}
	return b
}

package train

import (
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/loop"

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
type update func(scope *model.Scope, x, c *Node) *Node

// program makes steps of training: many in one compiled loop where that is possible,
// else one in each call. Its steps are the same bits however they are split into calls.
type program struct {
	backend compute.Backend
	store   *model.Store
	update  update
	length  int // the most steps that one call makes
	exec    *model.Exec
}

func newProgram(backend compute.Backend, store *model.Store, update update) (*program, error) {
	p := &program{backend: backend, store: store, update: update, length: 1}
	build := p.one
	if gomlx.LoopsGradients(backend) {
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

// run makes as many of n steps as one call can, and returns their losses. rows holds
// each step's rows of x and c; nil is all of them in every step.
func (p *program) run(x, c *tensors.Tensor, n int, rows [][]int32) (losses, error) {
	size := 0
	if rows != nil {
		size = len(rows[0])
	}
	if err := p.compile(x, c, size); err != nil {
		return losses{}, err
	}
	n = min(n, p.length)
	count := tensors.FromScalar(int32(n))
	defer count.MustFinalizeAll()
	in := []*tensors.Tensor{count, x}
	if c != nil {
		in = append(in, c)
	}
	if rows != nil {
		flat := make([]int32, p.length*size)
		for i, row := range rows[:n] {
			copy(flat[i*size:], row)
		}
		batches := tensors.FromFlatDataAndDimensions(flat, p.length, size)
		defer batches.MustFinalizeAll()
		in = append(in, batches)
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

// compile makes the program for these inputs, if it isn't there, with batches of size
// rows, or all of them for 0. Some losses can't stand in a compiled loop (a sort, control
// flow of their own): their steps are made one by one.
func (p *program) compile(x, c *tensors.Tensor, size int) error {
	in := []shapes.Shape{shapes.Make(dtypes.Int32), x.Shape()}
	if c != nil {
		in = append(in, c.Shape())
	}
	if size > 0 {
		in = append(in, shapes.Make(dtypes.Int32, p.length, size))
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
	return p.compile(x, c, size)
}

// one builds a single step; in is as many has it.
func (p *program) one(scope *model.Scope, in []*Node) []*Node {
	g := in[0].Graph()
	x, c := batch(Const(g, int32(0)), in[1:])
	loss := p.update(scope, x, c)
	return []*Node{Reshape(ConvertDType(loss, dtypes.Float64), 1)}
}

// many builds a loop of as many steps as in[0] says, on the data in the rest of in.
func (p *program) many(scope *model.Scope, in []*Node) []*Node {
	g := in[0].Graph()
	losses := Const(g, make([]float64, burst))
	out, _, _ := loop.Steps(scope, Const(g, int32(0)), in[0], []*Node{losses}, in[1:],
		func(scope *model.Scope, i *Node, losses, data []*Node) (next []*Node, more *Node) {
			x, c := batch(i, data)
			loss := ConvertDType(p.update(scope, x, c), dtypes.Float64)
			step := Iota(i.Graph(), shapes.Make(dtypes.Int32, burst), 0)
			return []*Node{Where(Equal(step, i), loss, losses[0])}, nil
		})
	return out
}

// batch picks x and c of step i from data: x, then c if there is one, then the rows of
// each step's batch, int32 of shape [steps, size], if a batch isn't all of them.
func batch(i *Node, data []*Node) (x, c *Node) {
	x, data = data[0], data[1:]
	var rows *Node
	if n := len(data); n > 0 && data[n-1].DType().IsInt() {
		rows, data = data[n-1], data[:n-1]
	}
	if len(data) > 0 {
		c = data[0]
	}
	if rows != nil {
		rows = InsertAxes(Gather(rows, Reshape(i, 1)), -1)
		x = Gather(x, rows)
		if c != nil {
			c = Gather(c, rows)
		}
	}
	return x, c
}

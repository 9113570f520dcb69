// Package onnx writes samplers, log-densities and other graphs to ONNX files, which ONNX
// Runtime and others run without Go: from Python, C++, C#, JavaScript, on phones. It needs
// neither their libraries nor cgo.
//
//	process, err := flow.Bind(backend, store, nil)
//	err = onnx.Export("moons.onnx", process, onnx.Options{})
//
// and in Python:
//
//	sampler = onnxruntime.InferenceSession("moons.onnx")
//	noise = numpy.random.default_rng().standard_normal((1000, 2), dtype=numpy.float32)
//	samples, = sampler.run(None, {"noise": noise})
//
// The numbers are those of [nami.Process.SampleFrom], up to rounding. A solve is one Loop, so a
// file's size doesn't depend on the number of steps, and solvers that choose their steps can
// be written as well. The noise is an input, as no two runtimes draw the same random numbers:
// it is drawn from the model's base. Solvers for stochastic equations can't be written;
// a diffusion's probability flow has the same distribution (Song et al. 2021,
// arXiv:2011.13456, section 4.3).
package onnx

import (
	"errors"
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/internal/loop"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Options say what a file is to serve. The zero value is a sampler for any number of rows.
type Options struct {
	// Rows is the number of rows, the first axis of every input and output; 0 leaves it to
	// whoever runs the file. A graph that isn't the same one for every number of rows needs it,
	// such as one with a mean over them.
	Rows int

	// LogProb, if not nil, makes a sampler give the samples' log-density too. It must be an
	// estimator without random numbers, such as [divergence.Exact].
	LogProb divergence.Estimator

	// Description is a text that the file carries in its metadata; none if empty.
	Description string

	// Metadata are further texts by name that the file carries, such as the names of columns and
	// classes: see modelfile.File.Metadata.
	Metadata map[string]string
}

// Export writes the sampler of a process to a file; one that is there already is replaced at
// once, or stays if there is an error. The inputs and outputs, for n rows:
//
//	noise     n+event_shape    as the base distribution draws it
//	context   n+context_shape  one for each row, if the process is bound to a context
//	mask      n+[objects]      if it has a mask
//	samples   n+event_shape    the data
//	log_prob  n                in nats, if Options.LogProb is given
//
// Contexts and samples are in the data's units, the noise in the model's, in which an event
// may have another shape where the model has a Transform. All are of the process's dtype:
// float32, unless it was bound with another one. The values of
// the process's context and mask are not part of the file. Where a solver that chooses its
// steps fails for a row, the row's results are NaN. It is an error if the solver is a
// stochastic one, or if the field uses an operation that can't be written, which the error
// names.
func Export(path string, process *nami.Process, o Options) error {
	return export(path, process, o, "noise", "samples", func() (nami.Graphs, error) { return process.SampleGraphs(o.LogProb) })
}

// ExportLogProb writes the log-density of data to a file. The inputs and outputs, for n rows:
//
//	data      n+event_shape
//	context   n+context_shape  one for each row, if the process is bound to a context
//	mask      n+[objects]      if it has a mask
//	uniform   n+[numbers]      if the model's Transform adds noise
//	log_prob  n                in nats
//
// The numbers are those of [nami.Process.LogProb], up to rounding. Options.LogProb is the
// estimator, without random numbers; nil asks the field, which must be a field.Divergent. Where
// a Transform adds noise, as transform.Dequantize and transform.Circle do, whoever runs the file
// draws its random numbers: uniform ones from 0 up to but not 1, as many for each event as the
// input's shape says. A logarithm of the mean density over several draws is what nami.Draws gives.
// The rest is as with [Export].
func ExportLogProb(path string, process *nami.Process, o Options) error {
	return export(path, process, o, "data", "log_prob", func() (nami.Graphs, error) { return process.LogProbGraphs(o.LogProb) })
}

// export writes what a process computes from an input of that name.
func export(path string, process *nami.Process, o Options, from, to string, pieces func() (nami.Graphs, error)) error {
	if process == nil {
		return errors.New("onnx: the process is nil: bind a model with Bind")
	}
	g, err := pieces()
	if err != nil {
		return err
	}
	a, err := newAssembly(g.Store, o)
	if err != nil {
		return err
	}
	inputs := []Input{{from, g.Event}}
	for _, i := range g.Inputs {
		inputs = append(inputs, Input{i.Name, i.Shape})
	}
	in, err := a.inputs(inputs)
	if err != nil {
		return err
	}
	fixed := in[1:]
	if len(fixed) > 0 {
		if fixed, err = a.stage(fixed, g.Map); err != nil {
			return err
		}
	}
	// What is before the loop, the loop, and what is behind it.
	state, err := a.stage(slices.Concat(in[:1], fixed), func(scope *model.Scope, in []*Node) []*Node {
		return g.Begin(scope, in[:1], in[1:])
	})
	if err != nil {
		return err
	}
	n := len(state)
	state, err = a.stage(slices.Concat(state, fixed), func(scope *model.Scope, in []*Node) []*Node {
		first, last := Const(in[0].Graph(), int32(0)), Const(in[0].Graph(), int32(g.Steps))
		next, _, _ := loop.Steps(scope, first, last, in[:n], in[n:], g.Step)
		return next
	})
	if err != nil {
		return err
	}
	results, err := a.stage(slices.Concat(state, fixed), func(scope *model.Scope, in []*Node) []*Node {
		return g.End(scope, in[:n], in[n:])
	})
	if err != nil {
		return err
	}
	outputs := []string{to}
	if len(results) > 1 {
		outputs = append(outputs, "log_prob")
	}
	return a.write(path, outputs, results)
}

// Input is an input of a graph: Row is its shape and dtype for one row.
type Input struct {
	Name string
	Row  shapes.Shape
}

// ExportGraph writes any graph to a file, such as a field or a classifier: what build makes of
// inputs with one axis of rows before their own, with the weights in store, which is nil if
// there are none. outputs are the names of build's results, whose first axis is the rows as
// well. Options.LogProb has no meaning here. It is an error if build panics, changes a
// variable, draws random numbers, or uses another operation that can't be written.
func ExportGraph(path string, store *model.Store, inputs []Input, outputs []string, build func(scope *model.Scope, in []*Node) []*Node, o Options) error {
	switch {
	case len(inputs) == 0 || len(outputs) == 0 || build == nil:
		return errors.New("onnx: a graph needs at least one input, the names of its outputs and the function that builds it")
	case o.LogProb != nil:
		return fmt.Errorf("onnx: Options.LogProb is %v, which is for samplers: let the graph compute what it is to give", o.LogProb)
	case store == nil:
		store = model.NewStore()
	}
	a, err := newAssembly(store, o)
	if err != nil {
		return err
	}
	in, err := a.inputs(inputs)
	if err != nil {
		return err
	}
	results, err := a.stage(in, build)
	if err != nil {
		return err
	}
	return a.write(path, outputs, results)
}

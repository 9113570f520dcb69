package onnx

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/google/renameio/v2/maybe"
)

// assembly is a file in the making: graphs, each of which takes inputs of the file or results of
// those before it.
type assembly struct {
	store  *model.Store
	about  [][2]string
	rows   []int // for which graphs are recorded: the file's, or two if it serves any
	stages []*stage
	graph  graphProto

	names    map[*value]string
	contents map[string]string // the names of weights, constants and lengths, by what they are
	taken    map[string]bool   // names of inputs, outputs and weights
	lengths  []node            // what computes lengths from the number of rows
	next     int
}

// stage is one of the graphs, recorded for each of the numbers of rows.
type stage struct {
	recordings []*recording
	inputs     []piece
	wanted     []bool   // which of its results are
	results    []string // their names
}

// piece is an input of the file, or a result of a stage, with its shape for each of the numbers
// of rows.
type piece struct {
	name   string
	from   *stage // nil for an input
	result int
	of     []shapes.Shape
}

func newAssembly(store *model.Store, o Options) (*assembly, error) {
	a := &assembly{store: store, graph: graphProto{name: producer}, names: map[*value]string{}, contents: map[string]string{}, taken: map[string]bool{}}
	switch {
	case o.Rows < 0:
		return nil, fmt.Errorf("onnx: Options.Rows is %d: give the number of rows, or 0 for any", o.Rows)
	case o.Rows == 0:
		a.rows = []int{rowsA, rowsB}
	default:
		a.rows = []int{o.Rows}
	}
	if o.Description != "" {
		a.about = append(a.about, [2]string{"description", o.Description})
	}
	for _, name := range slices.Sorted(maps.Keys(o.Metadata)) {
		if name == "description" || name == "" {
			return nil, fmt.Errorf("onnx: Options.Metadata has the name %q: expected another one; Options.Description is for a description", name)
		}
		a.about = append(a.about, [2]string{name, o.Metadata[name]})
	}
	return a, nil
}

// inputs declares the inputs of the file.
func (a *assembly) inputs(all []Input) (out []piece, err error) {
	for _, i := range all {
		if _, known := elementTypes[i.Row.DType]; !known || slices.ContainsFunc(i.Row.Dimensions, func(d int) bool { return d < 1 }) {
			return nil, fmt.Errorf("onnx: the input %q is %s for a row: expected a shape without axes of 0, of numbers that ONNX knows", i.Name, i.Row)
		}
		if err := a.take(i.Name); err != nil {
			return nil, err
		}
		p := piece{name: i.Name}
		for _, n := range a.rows {
			p.of = append(p.of, shapes.Make(i.Row.DType, slices.Concat([]int{n}, i.Row.Dimensions)...))
		}
		described, err := a.describe(i.Name, p)
		if err != nil {
			return nil, err
		}
		a.graph.inputs = append(a.graph.inputs, described)
		out = append(out, p)
	}
	return out, nil
}

// take makes a name one that nothing else has.
func (a *assembly) take(name string) error {
	if name == "" || a.taken[name] {
		return fmt.Errorf("onnx: the name %q of an input, output or variable is empty or taken: give each its own", name)
	}
	a.taken[name] = true
	return nil
}

// describe is what the file says of an input or output.
func (a *assembly) describe(name string, p piece) (i info, err error) {
	i = info{name: name, dtype: p.of[0].DType, dims: wide(p.of[0].Dimensions)}
	if len(a.rows) > 1 {
		i.per, err = perRow(i.dims, wide(p.of[1].Dimensions))
	}
	return i, err
}

// stage adds the graph that build makes, and returns its results.
func (a *assembly) stage(in []piece, build func(scope *model.Scope, in []*Node) []*Node) (out []piece, err error) {
	s := &stage{inputs: in}
	for k := range a.rows {
		var inputs []shapes.Shape
		for _, p := range in {
			inputs = append(inputs, p.of[k])
		}
		r, err := record(a.store, inputs, build)
		if err != nil {
			return nil, err
		}
		s.recordings = append(s.recordings, r)
	}
	if len(s.recordings) > 1 {
		if err := s.recordings[0].join(s.recordings[1]); err != nil {
			return nil, err
		}
	}
	for i := range s.recordings[0].main.results {
		p := piece{from: s, result: i}
		for _, r := range s.recordings {
			p.of = append(p.of, r.main.results[i].shape)
		}
		out = append(out, p)
	}
	s.wanted = make([]bool, len(out))
	a.stages = append(a.stages, s)
	return out, nil
}

// write writes the file, with results as its outputs.
func (a *assembly) write(path string, outputs []string, results []piece) error {
	if len(outputs) != len(results) {
		return fmt.Errorf("onnx: there are %d names of outputs, and the graph has %d: give a name for each", len(outputs), len(results))
	}
	for i, p := range results {
		if dims := p.of[0].Dimensions; len(dims) == 0 || dims[0] != a.rows[0] {
			return fmt.Errorf("onnx: the result %q is %s for %d rows: its first axis must be the rows", outputs[i], p.of[0], a.rows[0])
		}
		p.from.wanted[p.result] = true
	}
	if err := a.assemble(); err != nil {
		return err
	}
	for i, p := range results {
		if err := a.take(outputs[i]); err != nil {
			return err
		}
		a.graph.nodes = append(a.graph.nodes, node{kind: "Identity", inputs: []string{p.from.results[p.result]}, outputs: []string{outputs[i]}})
		described, err := a.describe(outputs[i], p)
		if err != nil {
			return err
		}
		a.graph.outputs = append(a.graph.outputs, described)
	}
	a.graph.nodes = slices.Concat(a.lengths, a.graph.nodes)
	encoded := encodeModel(&a.graph, a.about)
	if len(encoded) > mostBytes {
		return fmt.Errorf("onnx: the file would have %d bytes: a protocol buffer holds at most 2³¹-1", len(encoded))
	}
	return maybe.WriteFile(path, encoded, 0o644)
}

// assemble adds what is needed of the stages.
func (a *assembly) assemble() error {
	needed := map[*stage]liveness{}
	for _, s := range slices.Backward(a.stages) {
		l := liveOf(s)
		needed[s] = l
		for i, p := range s.inputs {
			if p.from != nil && l.values[s.recordings[0].main.parameters[i]] {
				p.from.wanted[p.result] = true
			}
		}
	}
	for _, s := range a.stages {
		main, l := s.recordings[0].main, needed[s]
		for i, v := range main.parameters {
			var err error
			switch {
			case !l.values[v]:
			case i >= len(s.inputs):
				a.names[v], err = a.weight(v.parameter)
			case s.inputs[i].from == nil:
				a.names[v] = s.inputs[i].name
			default:
				a.names[v] = s.inputs[i].from.results[s.inputs[i].result]
			}
			if err != nil {
				return err
			}
		}
		if err := a.operations(&a.graph.nodes, main, l); err != nil {
			return err
		}
		s.results = make([]string, len(main.results))
		for i, v := range main.results {
			if !s.wanted[i] {
				continue
			}
			var err error
			if s.results[i], err = a.of(v); err != nil {
				return err
			}
		}
	}
	return nil
}

// weight adds a variable of the store, once.
func (a *assembly) weight(path string) (string, error) {
	name := strings.TrimPrefix(path, "/")
	if _, known := a.contents[path]; known {
		return name, nil
	}
	if err := a.take(name); err != nil {
		return "", err
	}
	v := a.store.GetVariable(path)
	if v == nil {
		return "", fmt.Errorf("onnx: the store has no variable %s", path)
	}
	t, err := v.Value()
	if err != nil {
		return "", fmt.Errorf("onnx: the variable %s: %w", path, err)
	}
	raw, err := contents(t)
	if err != nil {
		return "", fmt.Errorf("onnx: the variable %s: %w", path, err)
	}
	a.contents[path] = name
	a.graph.initializers = append(a.graph.initializers, tensor{name, t.DType(), wide(t.Shape().Dimensions), raw})
	return name, nil
}

func contents(t *tensors.Tensor) (raw []byte, err error) {
	err = t.ConstBytes(func(b []byte) { raw = slices.Clone(b) })
	return raw, err
}

// name is a new one.
func (a *assembly) name(kind string) string {
	a.next++
	return fmt.Sprintf("%s_%d", strings.ToLower(kind), a.next)
}

func (a *assembly) all(values []*value) ([]string, error) {
	names := make([]string, len(values))
	for i, v := range values {
		var err error
		if names[i], err = a.of(v); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// of is the name of a value. Constants and lengths belong to the whole file, where the bodies
// of loops find them too.
func (a *assembly) of(v *value) (string, error) {
	switch {
	case v.constant != nil:
		return a.constant("constant", v.shape.DType, wide(v.shape.Dimensions), v.constant), nil
	case v.sizes != nil:
		return a.length(v.sizes), nil
	}
	name, ok := a.names[v]
	if !ok {
		return "", fmt.Errorf("onnx: a value of shape %s is used outside the loop that computes it", v.shape)
	}
	return name, nil
}

func (a *assembly) constant(kind string, dtype dtypes.DType, dims []int64, raw []byte) string {
	key := fmt.Sprint(dtype, dims, string(raw))
	if name, ok := a.contents[key]; ok {
		return name
	}
	name := a.name(kind)
	a.contents[key] = name
	a.graph.initializers = append(a.graph.initializers, tensor{name, dtype, dims, raw})
	return name
}

// length is the name of lengths of axes: a constant, or computed from the number of rows.
func (a *assembly) length(s *sizes) string {
	dims := []int64{int64(len(s.of))}
	vector := func(of []int64) string {
		return a.constant("lengths", dtypes.Int64, dims, dtypes.UnsafeByteSliceFromAny(of))
	}
	if !slices.ContainsFunc(s.per, func(n int64) bool { return n != 0 }) {
		if s.scalar {
			dims = nil
		}
		return vector(s.of)
	}
	key := fmt.Sprint("lengths", s.of, s.per, s.scalar)
	if name, ok := a.contents[key]; ok {
		return name
	}
	compute := func(kind string, inputs []string, attributes ...attribute) string {
		out := a.name(kind)
		a.lengths = append(a.lengths, node{kind, inputs, []string{out}, attributes})
		return out
	}
	rows, ok := a.contents[rowsDimension]
	if !ok {
		rows = compute("Shape", []string{a.graph.inputs[0].name}, attribute{"start", int64(0)}, attribute{"end", int64(1)})
		a.contents[rowsDimension] = rows
	}
	fixed := slices.Clone(s.of)
	for i, n := range s.per {
		if n != 0 {
			fixed[i] = 0
		}
	}
	name := compute("Mul", []string{vector(s.per), rows})
	if slices.Max(fixed) != 0 || slices.Min(fixed) != 0 {
		name = compute("Add", []string{vector(fixed), name})
	}
	if s.scalar {
		name = compute("Squeeze", []string{name})
	}
	a.contents[key] = name
	return name
}

// operations adds those of f's operations that are needed.
func (a *assembly) operations(to *[]node, f *function, l liveness) error {
	for _, op := range f.operations {
		if op.body != nil && l.loops[op] != nil {
			if err := a.loop(to, op, l); err != nil {
				return err
			}
		}
		if op.body != nil || !l.values[op.outputs[0]] {
			continue
		}
		inputs, err := a.all(op.inputs)
		if err != nil {
			return err
		}
		name := a.name(op.kind)
		a.names[op.outputs[0]] = name
		*to = append(*to, node{op.kind, inputs, []string{name}, op.attributes})
	}
	return nil
}

// loop adds a loop, with the parts of its state that are needed. GoMLX asks whether to go on
// before each step, ONNX before the first one and in each step for the next.
func (a *assembly) loop(to *[]node, op *operation, l liveness) error {
	var parts []int
	for i := range op.inputs {
		if l.loops[op][i] {
			parts = append(parts, i)
		}
	}
	pick := func(values []*value) (out []*value) {
		for _, i := range parts {
			out = append(out, values[i])
		}
		return out
	}
	goesOn := func(to *[]node, state []string) (string, error) {
		for i, v := range pick(op.condition.parameters) {
			a.names[v] = state[i]
		}
		if err := a.operations(to, op.condition, l); err != nil {
			return "", err
		}
		return a.of(op.condition.results[0])
	}
	initial, err := a.all(pick(op.inputs))
	if err != nil {
		return err
	}
	condition, err := goesOn(to, initial)
	if err != nil {
		return err
	}
	body := &graphProto{name: a.name("body")}
	body.inputs = []info{{name: a.name("iteration"), dtype: dtypes.Int64}, {name: a.name("going"), dtype: dtypes.Bool}}
	parameters := pick(op.body.parameters)
	for _, v := range parameters {
		a.names[v] = a.name("state")
		body.inputs = append(body.inputs, infoOf(a.names[v], v))
	}
	if err := a.operations(&body.nodes, op.body, l); err != nil {
		return err
	}
	next, err := a.all(pick(op.body.results))
	if err != nil {
		return err
	}
	more, err := goesOn(&body.nodes, next)
	if err != nil {
		return err
	}
	give := func(from string, is info) { // an output must be made in the body, and be no other one
		is.name = a.name("next")
		body.nodes = append(body.nodes, node{kind: "Identity", inputs: []string{from}, outputs: []string{is.name}})
		body.outputs = append(body.outputs, is)
	}
	give(more, info{dtype: dtypes.Bool})
	for i, from := range next {
		give(from, infoOf("", parameters[i]))
	}
	out := node{kind: "Loop", inputs: append([]string{"", condition}, initial...), attributes: []attribute{{"body", body}}}
	for _, v := range pick(op.outputs) {
		a.names[v] = a.name("loop")
		out.outputs = append(out.outputs, a.names[v])
	}
	*to = append(*to, out)
	return nil
}

// liveness is what the results of a recording need: values, and parts of the states of loops.
type liveness struct {
	values map[*value]bool
	loops  map[*operation]map[int]bool
	owners map[*value]owner
}

// owner is the loop of whose state a parameter is a part.
type owner struct {
	loop *operation
	part int
}

// liveOf is what a stage's wanted results need.
func liveOf(s *stage) liveness {
	main := s.recordings[0].main
	l := liveness{values: map[*value]bool{}, loops: map[*operation]map[int]bool{}, owners: map[*value]owner{}}
	l.own(main)
	for i, v := range main.results {
		if s.wanted[i] {
			l.need(v)
		}
	}
	return l
}

// own finds the loops of a function.
func (l liveness) own(f *function) {
	for _, op := range f.operations {
		if op.body == nil {
			continue
		}
		for _, f := range []*function{op.condition, op.body} {
			for i, v := range f.parameters {
				l.owners[v] = owner{op, i}
			}
			l.own(f)
		}
	}
}

func (l liveness) need(v *value) {
	if l.values[v] {
		return
	}
	l.values[v] = true
	if o, ok := l.owners[v]; ok {
		l.part(o)
	}
	switch {
	case v.by == nil:
	case v.by.body != nil:
		l.part(owner{v.by, v.output})
	default:
		for _, x := range v.by.inputs {
			l.need(x)
		}
	}
}

// part needs a part of a loop's state, from its beginning and from step to step.
func (l liveness) part(o owner) {
	if l.loops[o.loop] == nil {
		l.loops[o.loop] = map[int]bool{}
		l.need(o.loop.condition.results[0])
	}
	if l.loops[o.loop][o.part] {
		return
	}
	l.loops[o.loop][o.part] = true
	l.need(o.loop.inputs[o.part])
	l.need(o.loop.body.results[o.part])
}

func infoOf(name string, v *value) info {
	return info{name, v.shape.DType, wide(v.shape.Dimensions), v.perRow}
}

func perRowName(n int64) string {
	if n == 1 {
		return rowsDimension
	}
	return fmt.Sprintf("%d*%s", n, rowsDimension)
}

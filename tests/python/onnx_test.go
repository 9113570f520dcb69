//go:build slow

// Package python tests what other languages do with nami's files, from Python.
package python

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/onnx"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/transform"
	"github.com/nami-flow/go-nami/tests/internal/checkout"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/layers/attention"
	"github.com/gomlx/gomlx/ml/layers/norm"
	"github.com/gomlx/gomlx/ml/model"
)

const rows = 5

// ONNX Runtime gives the numbers of SampleFrom, LogProb and any graph to 1e-4, for the number
// of rows that was exported and for others.
func TestONNX(t *testing.T) {
	python := checkout.Python(t, "python", "requirements.txt", "onnxruntime")
	c := newCases(t)
	c.samplers()
	c.logProbs()
	c.noisyLogProb()
	c.graphs()
	c.run(python, "test_onnx.py", fmt.Sprintf("%d files passed", c.n))
}

// The Python in docs/other-languages.md that runs a sampler does.
func TestONNXInTheDocumentation(t *testing.T) {
	python := checkout.Python(t, "python", "requirements.txt", "onnxruntime")
	c := newCases(t)
	process, _ := c.bind(sampler{model: nami.FlowMatching{Field: plain, Base: distribution.NewStandardNormal(2), Solver: solver.RK4(64)}, field: plain, event: []int{2}})
	c.check(onnx.Export(filepath.Join(c.folder, "moons.onnx"), process, onnx.Options{}))
	code := program(t, "import numpy\nimport onnxruntime\n") + "print(samples.shape, samples.dtype)\n"
	command := exec.Command(python, "-c", code)
	command.Dir = c.folder
	out, err := command.CombinedOutput()
	if err != nil || string(out) != "(1000, 2) float32\n" {
		t.Errorf("the program in docs/other-languages.md printed %q (%v), expected the shape of 1000 samples", out, err)
	}
}

// The Python there that averages log-densities with noise gives what nami.Draws does: with 1024
// draws of fixed seeds, to 0.2. The density varies by e² or so within a cell, which leaves a
// deviation of 0.1 between the two.
func TestNoisyONNXInTheDocumentation(t *testing.T) {
	python := checkout.Python(t, "python", "requirements.txt", "onnxruntime")
	c := newCases(t)
	flow := nami.FlowMatching{Field: plain, Base: distribution.NewStandardNormal(2), Solver: solver.RK4(8), Transform: transform.Dequantize{}}
	s := sampler{model: flow, field: plain, event: []int{2}}
	process, _ := c.bind(s)
	c.check(onnx.ExportLogProb(filepath.Join(c.folder, "density.onnx"), process, onnx.Options{LogProb: divergence.Exact{}}))
	averaged, err := flow.Bind(c.backend, c.store(plain, []int{2}, nil), nil, nami.Draws(1024))
	c.check(err)
	logProb, err := averaged.LogProb(context.Background(), tensors.FromValue([][]float32{{0, 0}, {1, -2}}), divergence.Exact{})
	c.check(err)
	want := tensors.MustCopyFlatData[float32](logProb)
	code := "import numpy\nimport onnxruntime\n" +
		"density = onnxruntime.InferenceSession('density.onnx')\nx = numpy.array([[0, 0], [1, -2]], numpy.float32)\n" +
		strings.Replace(program(t, "uniform = "), "range(16)", "range(1024)", 1) + fmt.Sprintf("want = numpy.array([%v, %v])\nassert numpy.abs(log_prob - want).max() < 0.2, (log_prob, want)\nprint('right')\n", want[0], want[1])
	command := exec.Command(python, "-c", code)
	command.Dir = c.folder
	out, err := command.CombinedOutput()
	if err != nil || string(out) != "right\n" {
		t.Errorf("the program in docs/other-languages.md printed %q (%v)", out, err)
	}
}

// program is the Python in docs/other-languages.md that begins so.
func program(t *testing.T, beginning string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(checkout.Root(t), "docs/other-languages.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, code, found := strings.Cut(string(page), "```python\n"+beginning)
	code, _, closed := strings.Cut(code, "```\n")
	if !found || !closed {
		t.Fatalf("docs/other-languages.md has no Python that begins with %s", beginning)
	}
	return beginning + code
}

// binder is a FlowMatching or a Diffusion.
type binder interface {
	Bind(compute.Backend, *model.Store, *tensors.Tensor, ...nami.Option) (*nami.Process, error)
}

// cases are files with the numbers that they are to give.
type cases struct {
	t       *testing.T
	backend compute.Backend
	folder  string
	n       int
}

func newCases(t *testing.T) *cases {
	t.Helper()
	backend, err := nami.OpenBackend("go")
	if err != nil {
		t.Fatal(err)
	}
	return &cases{t: t, backend: backend, folder: t.TempDir()}
}

// run has a script check the folder, and expects it to say so.
func (c *cases) run(python, script, want string) {
	c.t.Helper()
	command := exec.Command(python, "-W", "ignore", script, c.folder)
	command.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	out, err := command.CombinedOutput()
	c.t.Logf("%s", out)
	if err != nil {
		c.t.Fatal(err)
	}
	if !strings.Contains(string(out), want) {
		c.t.Errorf("expected it to say %q", want)
	}
}

func (c *cases) check(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// array is a tensor with its name in the file.
type array struct {
	name string
	t    *tensors.Tensor
}

// add makes the folder of a case, and returns the file's path.
func (c *cases) add(name string, in, out []array) string {
	c.t.Helper()
	c.n++
	dir := filepath.Join(c.folder, name)
	c.check(os.Mkdir(dir, 0o755))
	for _, a := range in {
		c.check(writeArray(filepath.Join(dir, "in."+a.name+".npy"), a.t))
	}
	for _, a := range out {
		c.check(writeArray(filepath.Join(dir, "out."+a.name+".npy"), a.t))
	}
	return filepath.Join(dir, "model.onnx")
}

// normals are random numbers, the same for each seed.
func (c *cases) normals(seed int64, dims ...int) *tensors.Tensor {
	c.t.Helper()
	base := distribution.NewStandardNormal(dims[1:]...)
	out, err := nami.FlowMatching{Field: still(len(dims) - 1), Base: base, Solver: solver.Euler(1)}.Bind(c.backend, model.NewStore(), nil, nami.Seed(seed))
	c.check(err)
	x, err := out.Sample(context.Background(), dims[0])
	c.check(err)
	return x
}

// still is a field that is 0 everywhere.
func still(rank int) field.Field {
	return field.Func{Rank: rank, F: func(_ *model.Scope, x, _, _ *Node) *Node { return ZerosLike(x) }}
}

// store has starting values of a field's variables.
func (c *cases) store(f field.Field, event, context []int) *model.Store {
	c.t.Helper()
	store := model.NewStore()
	c.check(nami.Initialize(c.backend, store, f, event, context, 7))
	return store
}

var (
	plain       = field.MLP{EventShape: []int{2}, Hidden: []int{32, 32}}
	conditional = field.MLP{EventShape: []int{2}, Hidden: []int{32, 32}, ContextDim: 3, TimeFeatures: 8}

	// smooth has no time features: with those of high frequency, rounding decides where an
	// adaptive solver steps, and samples are as far apart as its tolerances allow.
	smooth = field.MLP{EventShape: []int{2}, Hidden: []int{32, 32}, ContextDim: 3}
)

// Units of two columns of events, and of contexts of three values.
var (
	columns = transform.Columns{
		{Of: []int{0}, By: transform.Chain{transform.Logit{Low: 1, High: 3}, transform.Standardize{Mean: []float64{0.5}, Std: []float64{2}}}},
		{Of: []int{1}, By: transform.Asinh{}},
	}
	contexts = transform.Standardize{Mean: []float64{0.1, 0.2, 0.3}, Std: []float64{1, 2, 3}}
)

// sampler is a model whose samples are compared.
type sampler struct {
	name    string
	model   binder
	field   field.Field
	event   []int
	context []int
	mask    []float32 // of one event
	double  bool      // computed in float64
	options onnx.Options
}

func (c *cases) samplers() {
	normal := distribution.NewStandardNormal(2)
	flow := func(f field.Field, s solver.Solver) nami.FlowMatching {
		return nami.FlowMatching{Field: f, Base: normal, Solver: s}
	}
	along := func(s solver.Solver) nami.FlowMatching {
		m := flow(plain, s)
		m.Path = path.Linear{}
		return m
	}
	diffusion := func(f field.Field, sch schedule.Schedule, p schedule.Prediction, s solver.Solver) nami.Diffusion {
		return nami.Diffusion{Field: f, Schedule: sch, Prediction: p, Solver: s, EventShape: []int{2}}
	}
	karras := solver.Heun(18)
	karras.Grid = solver.Karras{Rho: 7}
	transformed := flow(conditional, solver.RK4(16))
	transformed.Transform, transformed.ContextTransform = columns, contexts
	transformedDiffusion := nami.Diffusion{Field: conditional, Schedule: schedule.VP{}, Prediction: schedule.V, Solver: solver.Heun(20), Base: normal, Transform: columns, ContextTransform: contexts}
	shared := solver.Dopri5(1e-5, 1e-5)
	shared.Shared = true
	for _, s := range []sampler{
		{name: "flow-rk4", model: flow(plain, solver.RK4(64))},
		{name: "flow-context", model: flow(conditional, solver.RK4(16)), field: conditional, context: []int{3}},
		{name: "flow-float64", model: flow(plain, solver.RK4(16)), double: true},
		{name: "flow-fixed-rows", model: flow(plain, solver.Heun(8)), options: onnx.Options{Rows: rows, Description: "a test"}},
		{name: "flow-euler", model: flow(plain, solver.Euler(10))},
		{name: "flow-multistep", model: flow(plain, solver.LMS(3, 20))},
		{name: "flow-adaptive", model: flow(plain, solver.Dopri5(1e-5, 1e-5))},
		{name: "flow-adaptive-context", model: flow(smooth, solver.Tsit5(1e-5, 1e-5)), field: smooth, context: []int{3}},
		{name: "flow-adaptive-shared", model: flow(plain, shared), options: onnx.Options{Rows: rows}},
		{name: "flow-noise-levels", model: along(solver.DPMSolverPP2M(12))},
		{name: "flow-adams", model: flow(plain, solver.AdamsPEC(4, 12))},
		{name: "flow-unipc", model: along(solver.UniPC(3, 12))},
		{name: "flow-log-prob", model: flow(plain, solver.RK4(16)), options: onnx.Options{LogProb: divergence.Exact{}}},
		{name: "flow-log-prob-context", model: flow(conditional, solver.Heun(16)), field: conditional, context: []int{3}, options: onnx.Options{LogProb: divergence.Exact{}}},
		{name: "diffusion-vp", model: diffusion(plain, schedule.VP{}, schedule.Eps, solver.Heun(20))},
		{name: "diffusion-vp-context", model: diffusion(conditional, schedule.VP{}, schedule.V, solver.RK4(20)), field: conditional, context: []int{3}},
		{name: "diffusion-edm", model: diffusion(plain, schedule.EDM{}, schedule.X0, karras)},
		{name: "diffusion-ve", model: diffusion(plain, schedule.VE{}, schedule.Score, solver.Euler(20))},
		{name: "diffusion-cosine", model: diffusion(plain, schedule.Cosine{}, schedule.Eps, solver.DPM2(10))},
		{name: "diffusion-dpm", model: diffusion(plain, schedule.VP{}, schedule.Eps, solver.DPMSolverPP2M(15))},
		{name: "diffusion-adaptive", model: diffusion(plain, schedule.VP{}, schedule.V, solver.Dopri5(1e-5, 1e-5))},
		{name: "diffusion-log-prob", model: nami.Diffusion{Field: plain, Schedule: schedule.VP{}, Solver: solver.Heun(20), Base: normal}, options: onnx.Options{LogProb: divergence.Exact{}}},
		{name: "flow-transformed", model: transformed, field: conditional, context: []int{3}, options: onnx.Options{LogProb: divergence.Exact{}}},
		{name: "diffusion-transformed", model: transformedDiffusion, field: conditional, context: []int{3}},
		{name: "masked", model: nami.FlowMatching{Field: pooled, Base: distribution.NewStandardNormal(3, 2), Solver: solver.RK4(8)}, field: pooled, event: []int{3, 2}, mask: []float32{1, 1, 0}, options: onnx.Options{LogProb: divergence.Exact{}}},
		{name: "images", model: nami.FlowMatching{Field: convolved, Base: distribution.NewStandardNormal(6, 6, 2), Solver: solver.Heun(4)}, field: convolved, event: []int{6, 6, 2}},
		{name: "attention", model: nami.FlowMatching{Field: attentive, Base: distribution.NewStandardNormal(4, 3), Solver: solver.Heun(4)}, field: attentive, event: []int{4, 3}},
	} {
		c.sampler(s)
	}
}

func (c *cases) sampler(s sampler) {
	c.t.Helper()
	if s.field == nil {
		s.field = plain
	}
	if s.event == nil {
		s.event = []int{2}
	}
	process, in := c.bind(s)
	noise := c.normals(1, append([]int{rows}, s.event...)...)
	if s.double {
		noise = doubles(noise)
	}
	samples, err := process.SampleFrom(context.Background(), noise)
	c.check(err)
	out := []array{{"samples", samples}}
	if s.options.LogProb != nil { // which is for samples from noise that the process draws: the same
		lead := []int{rows}
		if len(in) > 0 {
			lead = nil // a sample for each context
		}
		again, logProb, err := process.Seeded(1).SampleWithLogProb(context.Background(), s.options.LogProb, lead...)
		c.check(err)
		if !again.InDelta(samples, 1e-5) {
			c.t.Fatalf("%s: the same noise gives %v and %v", s.name, again, samples)
		}
		out = append(out, array{"log_prob", logProb})
	}
	file := c.add(s.name, append(in, array{"noise", noise}), out)
	c.check(onnx.Export(file, process, s.options))
}

// bind binds a model to a context and a mask, and returns them as arrays too.
func (c *cases) bind(s sampler) (process *nami.Process, in []array) {
	c.t.Helper()
	var given *tensors.Tensor
	if s.context != nil {
		given = c.normals(2, append([]int{rows}, s.context...)...)
		in = append(in, array{"context", given})
	}
	store, dtype := c.store(s.field, s.event, s.context), dtypes.Float32
	if s.double {
		var err error
		dtype = dtypes.Float64
		store, err = nami.Convert(store, dtype)
		c.check(err)
	}
	process, err := s.model.Bind(c.backend, store, given, nami.DType(dtype))
	c.check(err)
	if s.mask != nil {
		var all []float32
		for range rows {
			all = append(all, s.mask...)
		}
		mask := tensors.FromFlatDataAndDimensions(all, rows, len(s.mask))
		process, err = process.Masked(mask)
		c.check(err)
		in = append(in, array{"mask", mask})
	}
	return process, in
}

// doubles are the numbers of a tensor in float64.
func doubles(x *tensors.Tensor) *tensors.Tensor {
	var out []float64
	for _, v := range tensors.MustCopyFlatData[float32](x) {
		out = append(out, float64(v))
	}
	return tensors.FromFlatDataAndDimensions(out, x.Shape().Dimensions...)
}

// pooled moves each object by the mean of all.
var pooled = field.Func{Rank: 2, F: func(scope *model.Scope, x, t, _ *Node) *Node {
	mean := ReduceAndKeep(x, ReduceMean, -2)
	return Sub(Tanh(Mul(x, AddScalar(mean, 0.5))), MulScalar(x, 0.3))
}}

// convolved is a small network for images.
var convolved = field.Func{Rank: 3, F: func(scope *model.Scope, x, _, _ *Node) *Node {
	h := layers.Convolution(scope.At("first"), x).Channels(4).KernelSize(3).PadSame().Done()
	h = activation.Apply(activation.TypeGelu, norm.LayerNorm(scope.At("norm"), h, -1).Done())
	return layers.Convolution(scope.At("second"), h).Channels(2).KernelSize(3).PadSame().Done()
}}

// attentive is a layer of attention.
var attentive = field.Func{Rank: 2, F: func(scope *model.Scope, x, _, _ *Node) *Node {
	return attention.SelfAttention(scope.At("attention"), x, 2, 4).WithOutputDim(3).Done()
}}

func (c *cases) logProbs() {
	for _, s := range []sampler{
		{name: "density-flow", model: nami.FlowMatching{Field: plain, Base: distribution.NewStandardNormal(2), Solver: solver.RK4(16)}, field: plain, event: []int{2}},
		{name: "density-diffusion", model: nami.Diffusion{Field: conditional, Schedule: schedule.VP{}, Solver: solver.Heun(20), EventShape: []int{2}}, field: conditional, event: []int{2}, context: []int{3}},
		{name: "density-transformed", model: nami.FlowMatching{Field: conditional, Base: distribution.NewStandardNormal(2), Solver: solver.RK4(16), Transform: transform.Asinh{}, ContextTransform: contexts}, field: conditional, event: []int{2}, context: []int{3}},
		{name: "density-adaptive", model: nami.FlowMatching{Field: plain, Base: distribution.NewStandardNormal(2), Solver: solver.Dopri5(1e-6, 1e-6)}, field: plain, event: []int{2}},
	} {
		process, in := c.bind(s)
		x := c.normals(3, rows, 2)
		logProb, err := process.LogProb(context.Background(), x, divergence.Exact{})
		c.check(err)
		file := c.add(s.name, append(in, array{"data", x}), []array{{"log_prob", logProb}})
		c.check(onnx.ExportLogProb(file, process, onnx.Options{LogProb: divergence.Exact{}}))
	}
}

// noisyLogProb is a log-density of counts and angles, whose noise is an input.
func (c *cases) noisyLogProb() {
	counts := transform.Columns{{Of: []int{0}, By: transform.Dequantize{}}}
	s := sampler{name: "density-noise", model: nami.FlowMatching{Field: conditional, Base: distribution.NewStandardNormal(2), Solver: solver.RK4(16), Transform: counts, ContextTransform: contexts}, field: conditional, event: []int{2}, context: []int{3}}
	process, in := c.bind(s)
	without := s.model.(nami.FlowMatching)
	without.Transform = nil
	s.model = without
	plain, _ := c.bind(s)
	values, noise := make([]float32, 2*rows), make([]float32, rows)
	withNoise := make([]float32, 2*rows)
	for i := range rows {
		noise[i] = (float32(i) + 0.5) / rows
		values[2*i], values[2*i+1] = float32(i-2), float32(i)/3
		withNoise[2*i], withNoise[2*i+1] = values[2*i]+noise[i], values[2*i+1]
	}
	tensor := func(v []float32, dims ...int) *tensors.Tensor { return tensors.FromFlatDataAndDimensions(v, dims...) }
	logProb, err := plain.LogProb(context.Background(), tensor(withNoise, rows, 2), divergence.Exact{})
	c.check(err)
	file := c.add(s.name, append(in, array{"data", tensor(values, rows, 2)}, array{"uniform", tensor(noise, rows, 1)}), []array{{"log_prob", logProb}})
	c.check(onnx.ExportLogProb(file, process, onnx.Options{LogProb: divergence.Exact{}}))
}

// graphs are operations, one or a few in each, on numbers of all kinds.
func (c *cases) graphs() {
	float := func(values ...float32) *tensors.Tensor {
		return tensors.FromFlatDataAndDimensions(values, len(values))
	}
	x := c.normals(4, rows, 4)
	y := c.normals(5, rows, 4)
	edges := float(0, -0.25, 0.5, 1, -1, 2.5, -2.5, 1e-6, -1e-6, 30, -30, 1e-30, 3e38)
	words := tensors.FromFlatDataAndDimensions([]uint32{0, 1, 5, 0xffffffff, 0x80000001}, 5)
	counts := tensors.FromFlatDataAndDimensions([]int32{-7, -1, 0, 3, 12}, 5)
	flags := tensors.FromFlatDataAndDimensions([]bool{true, false, true, true, false}, 5)
	others := tensors.FromFlatDataAndDimensions([]bool{true, true, false, true, false}, 5)
	positive := func(x *Node) *Node { return AddScalar(Abs(x), 0.1) }
	type graph struct {
		name  string
		in    []*tensors.Tensor
		build func(in []*Node) []*Node
	}
	for _, g := range []graph{
		{"arithmetic", []*tensors.Tensor{x, y}, func(in []*Node) []*Node {
			a, b := in[0], in[1]
			return []*Node{Add(a, b), Sub(a, b), Mul(a, b), Div(a, positive(b)), Max(a, b), Min(a, b), Pow(positive(a), b), Mod(a, b), Atan2(a, b), ClipScalar(a, -0.5, 0.5)}
		}},
		{"functions", []*tensors.Tensor{x}, func(in []*Node) []*Node {
			a := in[0]
			return []*Node{Abs(a), Neg(a), Sign(a), Ceil(a), Floor(a), Round(a), Sqrt(positive(a)), Rsqrt(positive(a)), Exp(a), Log(positive(a)), Log1p(positive(a)), Expm1(a), Sin(a), Cos(a), Tanh(a), Sigmoid(a), Erf(a), Square(a), Inverse(positive(a))}
		}},
		{"edges", []*tensors.Tensor{edges}, func(in []*Node) []*Node {
			a := in[0]
			return []*Node{Expm1(ClipScalar(a, -40, 40)), Log1p(MaxScalar(a, -0.5)), Atan2(a, OneMinus(a)), Atan2(a, ZerosLike(a)), Round(a), IsFinite(MulScalar(a, 10)), IsNaN(Sub(a, a)), Tanh(a), Sign(a)}
		}},
		{"comparisons", []*tensors.Tensor{x, y}, func(in []*Node) []*Node {
			a, b := Round(in[0]), Round(in[1])
			return []*Node{Equal(a, b), NotEqual(a, b), LessThan(a, b), LessOrEqual(a, b), GreaterThan(a, b), GreaterOrEqual(a, b), Where(LessThan(a, b), a, b)}
		}},
		{"logic", []*tensors.Tensor{flags, others}, func(in []*Node) []*Node {
			a, b := in[0], in[1]
			return []*Node{LogicalAnd(a, b), LogicalOr(a, b), LogicalXor(a, b), LogicalNot(a), Where(a, b, LogicalNot(b)), ConvertDType(a, dtypes.Float32)}
		}},
		{"words", []*tensors.Tensor{words}, func(in []*Node) []*Node {
			a := in[0]
			seven := Const(a.Graph(), uint32(7))
			return []*Node{Add(a, seven), Sub(a, seven), Mul(a, a), BitwiseAnd(a, seven), BitwiseOr(a, seven), BitwiseXor(a, seven), BitwiseNot(a), BitwiseShiftLeft(a, seven), BitwiseShiftRightLogical(a, seven), ConvertDType(a, dtypes.Float32), GreaterThan(a, seven), Max(a, seven)}
		}},
		{"integers", []*tensors.Tensor{counts}, func(in []*Node) []*Node {
			a := in[0]
			three := Const(a.Graph(), int32(3))
			return []*Node{Add(a, three), Mul(a, three), Div(a, three), Mod(a, three), Max(a, three), Equal(a, three), ConvertDType(a, dtypes.Float32), ConvertDType(a, dtypes.Int64), Where(Equal(a, three), a, Neg(a))}
		}},
		{"axes", []*tensors.Tensor{x}, func(in []*Node) []*Node {
			a := in[0]
			g, n := a.Graph(), a.Shape().Dim(0)
			cube := Reshape(a, n, 2, 2)
			return []*Node{
				Transpose(cube, 1, 2), Slice(a, AxisRange(), AxisRange(1, 3)), Slice(a, AxisRange(), AxisRange(0, 4).Stride(2)),
				Reverse(a, 1), Concatenate([]*Node{a, Neg(a)}, 1), Pad(a, ScalarOne(g, a.DType()), PadAxis{}, PadAxis{Start: 1, End: 2}),
				Mul(a, Iota(g, a.Shape(), 1)), MinScalar(Iota(g, a.Shape(), 0), 0), InsertAxes(a, 1, -1), Squeeze(InsertAxes(a, 1), 1),
				Transpose(Gather(Transpose(a, 0, 1), Const(g, [][]int32{{2}, {0}, {3}})), 0, 1),
			}
		}},
		{"reductions", []*tensors.Tensor{x}, func(in []*Node) []*Node {
			cube := Reshape(in[0], in[0].Shape().Dim(0), 2, 2)
			return []*Node{
				ReduceSum(cube, 1), ReduceSum(cube, 1, 2), ReduceMean(cube, -1), ReduceMax(cube, 1), ReduceMin(cube, 2), ReduceMultiply(cube, 1, 2),
				ReduceLogicalOr(IsPositive(cube), 1), ReduceLogicalAnd(IsPositive(cube), 2), ArgMax(in[0], 1), ArgMin(in[0], 1), Softmax(in[0], -1), L2Norm(in[0], 1),
			}
		}},
		{"products", []*tensors.Tensor{x, y}, func(in []*Node) []*Node {
			n := in[0].Shape().Dim(0)
			a, b := Reshape(in[0], n, 2, 2), Reshape(in[1], n, 2, 2)
			w := Const(a.Graph(), [][]float32{{1, 2, 3}, {-1, 0.5, 0}})
			return []*Node{Einsum("nij,njk->nik", a, b), Einsum("nij,nij->n", a, b), Einsum("nij,jk->nik", a, w), Einsum("nij,ik->njk", a, w)}
		}},
		{"gradients", []*tensors.Tensor{x}, func(in []*Node) []*Node {
			a := in[0]
			energy := ReduceAllSum(Mul(Log1p(Exp(a)), Tanh(Slice(a, AxisRange(), AxisRange(1, 2)))))
			return Gradient(energy, a)
		}},
	} {
		c.graph(g.name, g.in, g.build)
	}
}

// graph adds a graph of rows, whose results are compared with those of the pure Go backend.
func (c *cases) graph(name string, in []*tensors.Tensor, build func(in []*Node) []*Node) {
	c.t.Helper()
	code := func(_ *model.Scope, in []*Node) []*Node { return build(in) }
	computation, err := nami.NewComputation(c.backend, nil, code)
	c.check(err)
	results, err := computation.Call(in...)
	c.check(err)
	var inputs []onnx.Input
	var given, out []array
	for i, t := range in {
		input := onnx.Input{Name: fmt.Sprintf("x%d", i), Row: shapes.Make(t.DType(), t.Shape().Dimensions[1:]...)}
		inputs, given = append(inputs, input), append(given, array{input.Name, t})
	}
	var outputs []string
	for i, t := range results {
		outputs = append(outputs, fmt.Sprintf("y%02d", i))
		out = append(out, array{outputs[i], t})
	}
	c.check(onnx.ExportGraph(c.add("graph-"+name, given, out), nil, inputs, outputs, code, onnx.Options{}))
}

// writeArray writes a tensor in NumPy's format, version 1.
func writeArray(path string, t *tensors.Tensor) error {
	kinds := map[dtypes.DType]string{dtypes.Float32: "<f4", dtypes.Float64: "<f8", dtypes.Int32: "<i4", dtypes.Int64: "<i8", dtypes.Uint32: "<u4", dtypes.Bool: "|b1"}
	kind, ok := kinds[t.DType()]
	if !ok {
		return fmt.Errorf("%s: %s isn't known here", path, t.DType())
	}
	dims := ""
	for _, d := range t.Shape().Dimensions {
		dims += fmt.Sprintf("%d,", d)
	}
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", kind, dims)
	header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n"
	file := binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(header)))
	file = append(file, header...)
	if err := t.ConstBytes(func(b []byte) { file = append(file, b...) }); err != nil {
		return err
	}
	return os.WriteFile(path, file, 0o644)
}

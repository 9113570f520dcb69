package onnx_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/onnx"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"google.golang.org/protobuf/encoding/protowire"
)

// What ONNX Runtime makes of the files is compared in tests/python.

var network = field.MLP{EventShape: []int{2}, ContextDim: 3}

// bind binds a flow with starting weights, the same ones on each backend, to a context for each
// of four rows.
func bind(t *testing.T, backend compute.Backend, s solver.Solver) *nami.Process {
	t.Helper()
	store := model.NewStore()
	if err := nami.Initialize(gomlxtest.Go(t), store, network, []int{2}, []int{3}, 1); err != nil {
		t.Fatal(err)
	}
	flow := nami.FlowMatching{Field: network, Base: distribution.NewStandardNormal(2), Solver: s}
	process, err := flow.Bind(backend, store, tensors.FromFlatDataAndDimensions(make([]float32, 12), 4, 3))
	if err != nil {
		t.Fatal(err)
	}
	return process
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// fields are the values of a message's fields of one number.
func fields(t *testing.T, message []byte, number protowire.Number) (out [][]byte) {
	t.Helper()
	for len(message) > 0 {
		n, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			t.Fatal(protowire.ParseError(size))
		}
		message = message[size:]
		size = protowire.ConsumeFieldValue(n, kind, message)
		if size < 0 {
			t.Fatal(protowire.ParseError(size))
		}
		if value := message[:size]; n == number {
			if kind == protowire.BytesType {
				value, _ = protowire.ConsumeBytes(value)
			}
			out = append(out, value)
		}
		message = message[size:]
	}
	return out
}

func texts(values [][]byte) (out []string) {
	for _, v := range values {
		out = append(out, string(v))
	}
	return out
}

// A file is one loop whose size doesn't depend on the number of steps, with the weights by
// their paths and the rows left free; the same process gives the same bytes on each backend.
func TestFile(t *testing.T) {
	var first []byte
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		files := map[int][]byte{}
		for _, steps := range []int{64, 640} {
			path := filepath.Join(t.TempDir(), "model.onnx")
			if err := onnx.Export(path, bind(t, backend, solver.RK4(steps)), onnx.Options{Description: "moons", Metadata: map[string]string{"units": `{"x": "cm"}`, "columns": `["x", "y"]`}}); err != nil {
				t.Fatal(err)
			}
			files[steps] = read(t, path)
		}
		if first == nil {
			first = files[64]
		}
		if !bytes.Equal(first, files[64]) {
			t.Error("the same process makes another file the second time")
		}
		if len(files[64]) != len(files[640]) {
			t.Errorf("64 steps make %d bytes, 640 %d: expected the same", len(files[64]), len(files[640]))
		}
		const weights = 4 * (6*128 + 128 + 2*(128*128+128) + 128*2 + 2)
		if size := len(files[64]) - weights; size > 20_000 {
			t.Errorf("the file has %d bytes beside its weights, expected less than 20,000", size)
		}
		if description := fields(t, files[64], 14); len(description) != 3 || !bytes.Contains(description[0], []byte("moons")) ||
			!bytes.Contains(description[1], []byte(`["x", "y"]`)) || !bytes.Contains(description[2], []byte("cm")) {
			t.Errorf("the metadata are %q, expected a description, columns and units", description)
		}
		graph := fields(t, files[64], 7)[0]
		loops := 0
		for _, node := range fields(t, graph, 1) {
			if slices.Equal(texts(fields(t, node, 4)), []string{"Loop"}) {
				loops++
			}
		}
		if loops != 1 {
			t.Errorf("the graph has %d loops, expected 1", loops)
		}
		var names []string
		for _, weight := range fields(t, graph, 5) {
			if name := string(fields(t, weight, 8)[0]); strings.HasPrefix(name, "mlp/") {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		var want []string
		for i := range 4 {
			want = append(want, fmt.Sprintf("mlp/layer_%d/dense/biases", i), fmt.Sprintf("mlp/layer_%d/dense/weights", i))
		}
		if !slices.Equal(names, want) {
			t.Errorf("the weights are %v, expected %v", names, want)
		}
		for number, want := range map[protowire.Number][]string{11: {"noise", "context"}, 12: {"samples"}} {
			var names []string
			for _, info := range fields(t, graph, number) {
				names = append(names, texts(fields(t, info, 1))...)
				if !bytes.Contains(info, []byte("rows")) {
					t.Errorf("the shape of %s doesn't leave the number of rows free", names[len(names)-1])
				}
			}
			if !slices.Equal(names, want) {
				t.Errorf("the names are %v, expected %v", names, want)
			}
		}
	})
}

// What can't be written is an error that says why, and how to do without it; a file that was
// there stays.
func TestMisuse(t *testing.T) {
	backend := gomlxtest.Go(t)
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	heun := bind(t, backend, solver.Heun(4))
	bound := func(f field.Field) *nami.Process {
		flow := nami.FlowMatching{Field: f, Base: distribution.NewStandardNormal(2), Solver: solver.Euler(2)}
		process, err := flow.Bind(backend, model.NewStore(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return process
	}
	of := func(build func(x *Node) *Node) field.Field {
		return field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return build(x) }}
	}
	sorting := bound(of(func(x *Node) *Node { return Sort(x, -1, true) }))
	mean := bound(of(func(x *Node) *Node { return Sub(x, ReduceAndKeep(x, ReduceMean, 0)) }))
	diffusion := nami.Diffusion{Field: field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return x }}, Schedule: schedule.VP{}, Solver: solver.EulerMaruyama(8), EventShape: []int{2}}
	stochastic, err := diffusion.Bind(backend, model.NewStore(), nil)
	if err != nil {
		t.Fatal(err)
	}
	row := []onnx.Input{{Name: "x", Row: shapes.Make(dtypes.Float32, 2)}}
	graph := func(inputs []onnx.Input, outputs []string, build func(scope *model.Scope, x *Node) []*Node) func() error {
		return func() error {
			return onnx.ExportGraph(path, nil, inputs, outputs, func(scope *model.Scope, in []*Node) []*Node { return build(scope, in[0]) }, onnx.Options{})
		}
	}
	same := func(_ *model.Scope, x *Node) []*Node { return []*Node{x} }
	for _, c := range []struct {
		name string
		do   func() error
		want []string
	}{
		{"no process", func() error { return onnx.Export(path, nil, onnx.Options{}) }, []string{"process is nil", "Bind"}},
		{"rows", func() error { return onnx.Export(path, heun, onnx.Options{Rows: -1}) }, []string{"Rows is -1"}},
		{"stochastic solver", func() error { return onnx.Export(path, stochastic, onnx.Options{}) }, []string{"EulerMaruyama(8)", "random numbers", "solver.Heun(50)"}},
		{"stochastic estimator", func() error { return onnx.Export(path, heun, onnx.Options{LogProb: divergence.Hutchinson{}}) }, []string{"Hutchinson", "random numbers", "divergence.Exact{}"}},
		{"no estimator", func() error { return onnx.ExportLogProb(path, heun, onnx.Options{}) }, []string{"estimator", "divergence.Exact{}"}},
		{"unknown operation", func() error { return onnx.Export(path, sorting, onnx.Options{}) }, []string{"operation Sort", "ONNX"}},
		{"mean over rows", func() error { return onnx.Export(path, mean, onnx.Options{}) }, []string{"number of rows", "Options.Rows"}},
		{"no folder", func() error { return onnx.Export(filepath.Join(path+".d", "model.onnx"), heun, onnx.Options{}) }, []string{"model.onnx.d", "no such file"}},
		{"no inputs", graph(nil, []string{"y"}, same), []string{"at least one input"}},
		{"names", graph(row, []string{"x"}, same), []string{`"x"`, "taken"}},
		{"number of names", graph(row, []string{"y", "z"}, same), []string{"2 names of outputs, and the graph has 1"}},
		{"no rows", graph(row, []string{"y"}, func(_ *model.Scope, x *Node) []*Node { return []*Node{ReduceAllSum(x)} }), []string{`"y"`, "first axis must be the rows"}},
		{"empty axis", graph([]onnx.Input{{Name: "x", Row: shapes.Make(dtypes.Float32, 0)}}, []string{"y"}, same), []string{`"x"`, "axes of 0"}},
		{"complex numbers", graph([]onnx.Input{{Name: "x", Row: shapes.Make(dtypes.Complex64, 2)}}, []string{"y"}, same), []string{`"x"`, "Complex64"}},
		{"missing weights", graph(row, []string{"y"}, func(scope *model.Scope, x *Node) []*Node {
			return []*Node{Mul(x, scope.VariableWithShape("w", shapes.Make(dtypes.Float32, 1, 2)).NodeValue(x))}
		}), []string{"lacks 1", "/w"}},
		{"random numbers", graph(row, []string{"y"}, func(scope *model.Scope, x *Node) []*Node {
			return []*Node{Add(x, scope.RandomNormal(x.Graph(), x.Shape()))}
		}), []string{"RNGBitGenerator"}},
		{"panic", graph(row, []string{"y"}, func(_ *model.Scope, x *Node) []*Node { return []*Node{Add(x, Const(x.Graph(), []float32{1, 2, 3}))} }), []string{"shape"}},
		{"estimator for a graph", func() error {
			return onnx.ExportGraph(path, nil, row, []string{"y"}, func(_ *model.Scope, in []*Node) []*Node { return in }, onnx.Options{LogProb: divergence.Exact{}})
		}, []string{"LogProb", "samplers"}},
	} {
		err := c.do()
		if err == nil {
			t.Errorf("%s: there was no error", c.name)
			continue
		}
		if strings.Contains(err.Error(), "not implemented") {
			t.Errorf("%s: the error is %q, which speaks of the code", c.name, err)
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the error is %q, expected %q in it", c.name, err, want)
			}
		}
		if got := read(t, path); string(got) != "before" {
			t.Errorf("%s: the file holds %.20q, expected what was there before", c.name, got)
		}
	}
	if err := onnx.Export(path, mean, onnx.Options{Rows: 4}); err != nil {
		t.Error(err)
	}
}

// A process that was exported still samples, and its store holds what it did.
func TestLeavesTheStoreAlone(t *testing.T) {
	backend := gomlxtest.Go(t)
	process := bind(t, backend, solver.Heun(4))
	noise := tensors.FromFlatDataAndDimensions([]float32{1, 2, 3, 4, 5, 6, 7, 8}, 4, 2)
	before, err := process.SampleFrom(context.Background(), noise)
	if err != nil {
		t.Fatal(err)
	}
	if err := onnx.Export(filepath.Join(t.TempDir(), "model.onnx"), process, onnx.Options{LogProb: divergence.Exact{}}); err != nil {
		t.Fatal(err)
	}
	after, err := process.SampleFrom(context.Background(), noise)
	if err != nil {
		t.Fatal(err)
	}
	if !before.Equal(after) {
		t.Errorf("the same noise gives %v before and %v after an export", before, after)
	}
}

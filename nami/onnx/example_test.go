package onnx_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/onnx"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// A sampler that gives the log-density of its samples as well.
func ExampleExport() {
	backend, store := nami.MustBackend(), model.NewStore()
	velocity := field.MLP{EventShape: []int{2}}
	if err := nami.Initialize(backend, store, velocity, []int{2}, nil, 1); err != nil { // or train it
		panic(err)
	}
	flow := nami.FlowMatching{Field: velocity, Base: distribution.NewStandardNormal(2), Solver: solver.RK4(64)}
	process, err := flow.Bind(backend, store, nil)
	if err != nil {
		panic(err)
	}
	folder, err := os.MkdirTemp("", "onnx")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	err = onnx.Export(filepath.Join(folder, "moons.onnx"), process, onnx.Options{LogProb: divergence.Exact{}})
	fmt.Println(err)
	// Output: <nil>
}

// Any graph: here one without weights, of two inputs.
func ExampleExportGraph() {
	folder, err := os.MkdirTemp("", "onnx")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	point := shapes.Make(dtypes.Float32, 3)
	err = onnx.ExportGraph(filepath.Join(folder, "distance.onnx"), nil,
		[]onnx.Input{{Name: "a", Row: point}, {Name: "b", Row: point}}, []string{"distance"},
		func(_ *model.Scope, in []*Node) []*Node {
			return []*Node{Sqrt(ReduceSum(Square(Sub(in[0], in[1])), -1))}
		}, onnx.Options{})
	fmt.Println(err)
	// Output: <nil>
}

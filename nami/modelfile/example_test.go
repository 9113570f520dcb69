package modelfile_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/modelfile"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/gomlx/ml/model"
)

// A model is trained and saved in one file, which a colleague's program loads, and compares with
// what it expects.
func ExampleSave() {
	folder, err := os.MkdirTemp("", "model")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	backend, err := nami.OpenBackend("go")
	if err != nil {
		log.Fatal(err)
	}
	velocity := field.MLP{EventShape: []int{2}, Hidden: []int{16}}
	columns := data.Columns{X: []string{"energy", "mass"}}
	store := model.NewStore()
	history, err := train.Fit(context.Background(), backend, store, loss.FM{Field: velocity}, wave(), train.Steps(50), train.BatchSize(32))
	if err != nil {
		log.Fatal(err)
	}
	flow := nami.FlowMatching{Field: velocity, Base: distribution.NewStandardNormal(2), Solver: solver.RK4(8)}

	name := filepath.Join(folder, "model.safetensors")
	err = modelfile.Save(name, modelfile.File{
		Model: flow, Store: store, Columns: columns, Units: map[string]string{"energy": "GeV"},
		Training: modelfile.TrainingOf(history),
	})
	if err != nil {
		log.Fatal(err)
	}

	file, err := modelfile.Load(name)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(file.Training.Steps, "steps;", file.Columns.X)
	columns.X = []string{"mass", "energy"}
	fmt.Println(file.Compare(modelfile.File{Columns: columns}))
	// Output:
	// 50 steps; [energy mass]
	// modelfile: the file holds another model than the one that is given: Columns.x is ["mass","energy"], and the file has ["energy","mass"] (the same in another order)
}

// A program that knows nothing of a model samples from it.
func ExampleLoad() {
	backend, err := nami.OpenBackend("go")
	if err != nil {
		log.Fatal(err)
	}
	file, err := modelfile.Load("testdata/version1-diffusion.safetensors")
	if err != nil {
		log.Fatal(err)
	}
	process, err := file.Bind(backend, nil)
	if err != nil {
		log.Fatal(err)
	}
	samples, err := process.Sample(context.Background(), 100)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(file.Model)
	fmt.Println(samples.Shape())
	// Output:
	// Diffusion{MLP{event (2), hidden [4], context 0, time features 0, Silu}, v, VP{0.1, 20}, Heun(4)}
	// (Float32)[100, 2]
}

package train_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/gomlx/ml/model"
)

// A run with a checkpoint can be repeated: the second Fit finds the work done, and
// Load brings the weights into another program, or another cell of a notebook.
func ExampleFit() {
	folder, err := os.MkdirTemp("", "moons")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	backend, err := nami.OpenBackend("go")
	if err != nil {
		log.Fatal(err)
	}
	flow := loss.FM{Field: field.MLP{EventShape: []int{2}, Hidden: []int{16}}}
	events := data.Events{X: wave(100)}

	for range 2 {
		history, err := train.Fit(context.Background(), backend, model.NewStore(), flow, events,
			train.Steps(50), train.BatchSize(32), train.Checkpoint(filepath.Join(folder, "wave")))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(history.Steps(), "steps")
	}

	store := model.NewStore()
	history, err := train.Load(store, filepath.Join(folder, "wave"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(store.NumVariables(), "variables after", history.Steps(), "steps")
	// Output:
	// 50 steps
	// 50 steps
	// 4 variables after 50 steps
}

// A loop of your own: five steps on the same batch, then a look at their losses.
func ExampleTrainer() {
	backend, err := nami.OpenBackend("go")
	if err != nil {
		log.Fatal(err)
	}
	flow := loss.FM{Field: field.MLP{EventShape: []int{2}, Hidden: []int{16}}}
	trainer, err := train.NewTrainer(backend, model.NewStore(), flow)
	if err != nil {
		log.Fatal(err)
	}
	batch := data.Events{X: wave(64)}
	for range 4 {
		if err := trainer.Steps(batch, 5); err != nil {
			log.Fatal(err)
		}
		losses, err := trainer.Losses()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(len(losses), "losses")
	}
	// Output:
	// 5 losses
	// 5 losses
	// 5 losses
	// 5 losses
}

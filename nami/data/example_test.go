package data_test

import (
	"fmt"
	"log"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/toy"

	"github.com/gomlx/gomlx/core/tensors"
)

func ExampleOneHot() {
	context, err := data.OneHot([]int{2, 0}, 3)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(context.Value())
	// Output: [[0 0 1] [1 0 0]]
}

func ExampleStandardizer() {
	points, err := toy.TwoMoons{Noise: 0.1}.Sample(1, 10_000)
	if err != nil {
		log.Fatal(err)
	}
	s, err := data.FitStandardizer(data.Events{X: points})
	if err != nil {
		log.Fatal(err)
	}
	standard, err := s.Apply(points) // train on these, and give samples to s.Inverse
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%v, mean %.1f, standard deviation %.1f\n", standard.Shape(), s.Mean, s.Std)
	// Output: (Float32)[10000, 2], mean [0.5 0.3], standard deviation [0.9 0.5]
}

// A tenth of the events is kept for validation; what belongs to an event goes with it.
func ExampleEvents_Split() {
	points, labels, err := toy.TwoMoons{Noise: 0.1}.SampleLabelled(1, 1000)
	if err != nil {
		log.Fatal(err)
	}
	classes, err := data.OneHot(labels, 2)
	if err != nil {
		log.Fatal(err)
	}
	validation, training, err := data.Events{X: points, Context: classes}.Split(0.1, 1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(validation.X.Shape(), training.Context.Shape())
	// Output: (Float32)[100, 2] (Float32)[900, 2]
}

// table is a Reader of rows in memory; one of a file reads them there.
type table [][]float32

func (t table) Len() int { return len(t) }

func (t table) Read(first, last int) (data.Events, error) {
	return data.Events{X: tensors.FromValue([][]float32(t[first:last]))}, nil
}

func ExampleStream() {
	source := data.Stream{Reader: table{{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}}, Block: 4}
	batches, err := source.Open(data.Order{Seed: 1, BatchSize: 2})
	if err != nil {
		log.Fatal(err)
	}
	for step := range 4 { // an epoch
		batch, err := batches.Batch(step)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(batch.X.Shape())
	}
	// Output:
	// (Float32)[2, 1]
	// (Float32)[2, 1]
	// (Float32)[2, 1]
	// (Float32)[2, 1]
}

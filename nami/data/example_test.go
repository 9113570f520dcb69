package data_test

import (
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/toy"

	"github.com/gomlx/gomlx/core/tensors"
)

// From a file to events for training: rows with missing values are dropped, and the classes
// of the whole table are fitted before it is split.
func ExampleTable_Events() {
	table, err := data.Decode(strings.NewReader(`x,y,kind,w
0.5,1,muon,1
,2,electron,1
2.5,3,electron,0.5
3.5,4,muon,-0.5
`), data.CSV) // data.Read("events.csv") reads a file
	if err != nil {
		log.Fatal(err)
	}
	columns := data.Columns{X: []string{"x", "y"}, Classes: []data.Class{{Column: "kind"}}, Weight: "w"}
	clean, dropped, err := table.Complete(columns.Names()...)
	if err != nil {
		log.Fatal(err)
	}
	columns, err = columns.Fit(clean)
	if err != nil {
		log.Fatal(err)
	}
	events, err := clean.Events(columns)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(dropped, "dropped,", events.X.Shape(), columns.Classes[0].Names)
	fmt.Println(events.Context.Value())
	// Output:
	// 1 dropped, (Float32)[3, 2] [electron muon]
	// [[0 1] [1 0] [0 1]]
}

// Samples become a table, which Write writes to a file.
func ExampleFromTensor() {
	samples := tensors.FromValue([][]float32{{1, 2.5}, {3, 4}})
	table, err := data.FromTensor(samples, "x", "y")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(table)
	if err := table.Encode(os.Stdout, data.CSV); err != nil { // table.Write("samples.csv")
		log.Fatal(err)
	}
	// Output:
	// 2 rows, 2 columns
	// column  kind     missing  first values
	// x       float32  0        1, 3
	// y       float32  0        2.5, 4
	// x,y
	// 1.0,2.5
	// 3.0,4.0
}

func ExampleOneHot() {
	context, err := data.OneHot([]int{2, 0}, 3)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(context.Value())
	// Output: [[0 0 1] [1 0 0]]
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
	parts, err := data.Events{X: points, Context: classes}.Split(1, 0.1)
	if err != nil {
		log.Fatal(err)
	}
	validation, training := parts[0], parts[1]
	fmt.Println(validation.X.Shape(), training.Context.Shape())
	// Output: (Float32)[100, 2] (Float32)[900, 2]
}

// numbers is a Reader of rows in memory; one of a file reads them there.
type numbers [][]float32

func (n numbers) Len() int { return len(n) }

func (n numbers) Read(first, last int) (data.Events, error) {
	return data.Events{X: tensors.FromValue([][]float32(n[first:last]))}, nil
}

func ExampleStream() {
	source := data.Stream{Reader: numbers{{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}}, Block: 4}
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

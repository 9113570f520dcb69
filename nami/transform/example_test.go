package transform_test

import (
	"fmt"
	"log"
	"math"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/gomlx/core/tensors"
)

// An energy, which is positive and spans decades, and the hour of the day: the model's events
// have three columns, the energy's and two of a circle.
func ExampleFit() {
	backend, err := nami.OpenBackend("go")
	if err != nil {
		log.Fatal(err)
	}
	x := tensors.FromValue([][]float64{{0.1, 23.5}, {10, 0.5}, {1000, 1}})
	units := transform.Columns{
		{Of: []int{0}, By: transform.Chain{transform.Logarithm{}, transform.Standardize{}}},
		{Of: []int{1}, By: transform.Circle{Period: 24}},
	}
	fitted, err := transform.Fit(backend, units, transform.Data{X: x})
	if err != nil {
		log.Fatal(err)
	}
	y, logDet, err := transform.Apply(backend, fitted, transform.Data{X: x}, 1)
	if err != nil {
		log.Fatal(err)
	}
	back, _, err := transform.Invert(backend, fitted, transform.Data{X: y})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(y.Shape(), logDet.Shape())
	for _, row := range back.Value().([][]float64) {
		fmt.Printf("%.1f %.1f\n", row[0], row[1])
	}
	// Output:
	// (Float64)[3, 3] (Float64)[3]
	// 0.1 23.5
	// 10.0 0.5
	// 1000.0 1.0
}

// A log-normal density from a standard normal model.
func ExampleApply() {
	backend, err := nami.OpenBackend("go")
	if err != nil {
		log.Fatal(err)
	}
	y, logDet, err := transform.Apply(backend, transform.Logarithm{}, transform.Data{X: tensors.FromValue([]float64{2})}, 0)
	if err != nil {
		log.Fatal(err)
	}
	model := -0.5*math.Pow(y.Value().([]float64)[0], 2) - 0.5*math.Log(2*math.Pi)
	fmt.Printf("the density of 2 is %.4f\n", math.Exp(model+logDet.Value().([]float64)[0]))
	// Output: the density of 2 is 0.1569
}

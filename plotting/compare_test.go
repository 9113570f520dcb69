package plotting

import (
	"errors"
	"math"
	"reflect"
	"strconv"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
)

// Classes that alternate by row, as those of two moons do, leave the two halves of the
// reference alike: their distances are those of two samples of one distribution.
func TestCompareShufflesRows(t *testing.T) {
	flat := make([]float64, 2*2000)
	for i := range 2000 {
		flat[2*i], flat[2*i+1] = float64(10*(i%2))+math.Sin(float64(i)), math.Cos(float64(7*i))
	}
	x := tensors.FromFlatDataAndDimensions(flat, 2000, 2)
	table := Compare(Sample{Name: "data", Points: x}, []Sample{{Name: "the same", Points: x}}, 1)
	if err := table.Err(); err != nil {
		t.Fatal(err)
	}
	for _, row := range table.Rows {
		if w, err := strconv.ParseFloat(row[1], 64); err != nil || w > 3 {
			t.Errorf("%s has the sliced Wasserstein distance %v (%v), expected one far below 7, that of the classes", row[0], row[1], err)
		}
	}
}

// Weights of 1 change nothing in the table.
func TestCompareWithWeights(t *testing.T) {
	x, y, same := normals(1, 500, 2), normals(2, 500, 2), tensors.FromFlatDataAndDimensions(ones(500), 500)
	plain := Compare(Sample{Points: x}, []Sample{{Points: y}}, 1)
	weighted := Compare(Sample{Points: x, Weights: same}, []Sample{{Points: y, Weights: same}}, 1)
	if err := errors.Join(plain.Err(), weighted.Err()); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(plain, weighted) {
		t.Errorf("the table is %v without weights, %v with weights of 1", plain.Rows, weighted.Rows)
	}
}

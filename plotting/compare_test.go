package plotting

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/nami-flow/go-nami/nami/metric"
)

// Rows that are sorted are drawn at random, so that samples of one distribution don't differ.
func TestCompareDrawsRows(t *testing.T) {
	sorted := func(seed uint64) *tensors.Tensor {
		x := tensors.MustCopyFlatData[float32](normals(seed, 6000, 1))
		slices.Sort(x)
		return tensors.FromFlatDataAndDimensions(x, 6000, 1)
	}
	table := Compare(Sample{Name: "data", Points: sorted(1)}, []Sample{{Name: "the same", Points: sorted(2)}}, 1)
	if err := table.Err(); err != nil {
		t.Fatal(err)
	}
	if row := strings.Join(table.Rows[1], " "); strings.Contains(row, "*") || !strings.HasSuffix(row, "none") {
		t.Errorf("%v: %v", table.Header, table.Rows)
	}
}

// The picture is of the columns that differ, with the words.
func TestDifferences(t *testing.T) {
	x := normals(1, 1000, 8)
	y := mapped(normals(2, 1000, 8), func(i int, v float64) float64 {
		if i%8 == 5 {
			return 0.8 * v
		}
		return v
	})
	reference, sample := Sample{Name: "data", Points: x}, Sample{Name: "model", Points: y}
	c, err := metric.Comparer{Events: 200, Tests: metric.Tests{Permutations: 19}}.Compare(t.Context(), x, y)
	if err != nil {
		t.Fatal(err)
	}
	one := Differences(reference, sample, c)
	if err := one.Err(); err != nil {
		t.Fatal(err)
	}
	svg, err := one.SVG()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"column 6", "too small"} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("the figure doesn't say %q", want)
		}
	}
	same, err := metric.Comparer{Events: 200, Tests: metric.Tests{Permutations: 19}}.Compare(t.Context(), x, x)
	if err != nil {
		t.Fatal(err)
	}
	if err := Differences(reference, reference, same).Err(); err != nil {
		t.Error(err)
	}
	for want, figure := range map[string]Figure{
		"plotting.Differences: sample: the tensor is nil":            Differences(reference, Sample{}, c),
		"an event of data has 8 values, one of sample 2":             Differences(reference, Sample{Points: normals(1, 9, 2)}, c),
		"the comparison has no Differences":                          Differences(reference, sample, metric.Comparison{}),
		"the comparison is of value 6, and an event has 2: give the": Differences(Sample{Points: normals(1, 9, 2)}, Sample{Points: normals(1, 9, 2)}, c),
	} {
		if err := figure.Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, expected %q", err, want)
		}
	}
}

// Weights of 1 change nothing in the table.
func TestCompareWithWeights(t *testing.T) {
	x, y, same := normals(1, 250, 2), normals(2, 250, 2), tensors.FromFlatDataAndDimensions(ones(250), 250)
	plain := Compare(Sample{Points: x}, []Sample{{Points: y}}, 1)
	weighted := Compare(Sample{Points: x, Weights: same}, []Sample{{Points: y, Weights: same}}, 1)
	if err := errors.Join(plain.Err(), weighted.Err()); err != nil {
		t.Fatal(err)
	}
	// But for the fast C2ST, whose limit is of whole numbers without weights.
	at := slices.Index(plain.Header, "fast C2ST")
	plain.Rows[0][at] = weighted.Rows[0][at]
	if !reflect.DeepEqual(plain, weighted) {
		t.Errorf("the table is %v without weights, %v with weights of 1", plain.Rows, weighted.Rows)
	}
}

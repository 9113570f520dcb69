package data_test

import (
	"math"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/tests/property"

	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"
)

// Events of which every part fits are taken by all that takes events, and those of which
// one part doesn't are refused by all, with the part's name: never the other way round.
func TestAnyEvents(t *testing.T) {
	const n = 4
	type odd struct {
		value func() *tensors.Tensor
		says  string
	}
	at := func(v float32, i int, dims ...int) func() *tensors.Tensor {
		return func() *tensors.Tensor {
			x := gomlxtest.Filled(1, dims...)
			x.MustMutableFlatData(func(flat any) { flat.([]float32)[i] = v })
			return x
		}
	}
	shape := func(dims ...int) func() *tensors.Tensor { return at(1, 0, dims...) }
	nan := float32(math.NaN())
	parts := []struct {
		name  string
		right [][]int
		wrong []odd
	}{
		{"data", [][]int{{n, 3, 2}}, []odd{
			{at(nan, 6, n, 3, 2), "1 of 24 values of the data are NaN or infinite, the first in row 1"},
			{func() *tensors.Tensor { return tensors.FromValue([]int32{1, 2, 3, 4}) }, "the data is (Int32)[4]"},
		}},
		{"context", [][]int{{n, 1}, {n, 5}, {n, 2, 3}}, []odd{
			{shape(n), "the context is (Float32)[4]"},
			{shape(n+1, 2), "the context is (Float32)[5, 2]"},
			{func() *tensors.Tensor { return tensors.FromFlatDataAndDimensions([]float32{}, n, 0) }, "the context is (Float32)[4, 0]"},
			{func() *tensors.Tensor { return tensors.FromScalarAndDimensions(1.0, n, 2) }, "the context is (Float64)[4, 2]"},
			{at(float32(math.Inf(-1)), 4, n, 2), "of the context are NaN or infinite, the first in row 2"},
		}},
		{"mask", [][]int{{n, 3}}, []odd{
			{shape(n, 2), "the mask is (Float32)[4, 2]"},
			{shape(n), "the mask is (Float32)[4]"},
			{at(0.5, 9, n, 3), "has 0.5 in row 3"},
		}},
		{"source", [][]int{{n, 3, 2}}, []odd{
			{shape(n+1, 3, 2), "the source is (Float32)[5, 3, 2]"},
			{at(nan, 0, n, 3, 2), "of the source are NaN"},
		}},
		{"weight", [][]int{{n}}, []odd{
			{shape(n, 1), "the weight is (Float32)[4, 1]"},
			{at(-3, 0, n), "the 4 weights add up to 0"},
			{at(nan, 0, n), "of the weight are NaN"},
		}},
	}
	property.Check(t, func(t *rapid.T) {
		var e data.Events
		wrong := ""
		for _, p := range parts {
			kinds := []string{"right", "right", "absent", "wrong"}
			if p.name == "data" {
				kinds = []string{"right", "right", "right", "wrong"}
			}
			var value *tensors.Tensor
			switch rapid.SampledFrom(kinds).Draw(t, p.name) {
			case "right":
				value = gomlxtest.Filled(1, rapid.SampledFrom(p.right).Draw(t, "shape")...)
			case "wrong":
				if wrong == "" {
					one := rapid.SampledFrom(p.wrong).Draw(t, "wrong")
					value, wrong = one.value(), one.says
				}
			}
			if value == nil && p.name == "data" {
				value = gomlxtest.Filled(1, n, 3, 2)
			}
			switch p.name {
			case "data":
				e.X = value
			case "context":
				e.Context = value
			case "mask":
				e.Mask = value
			case "source":
				e.Source = value
			case "weight":
				e.Weight = value
			}
		}
		size := rapid.IntRange(0, n).Draw(t, "batch size")
		if size == 0 {
			size = n
		}
		_, openErr := e.Open(data.Order{BatchSize: size})
		for what, err := range map[string]error{"Validate": e.Validate(), "Open": openErr} {
			switch {
			case wrong != "":
				gomlxtest.Says(t, what, err, wrong)
			case err != nil:
				t.Errorf("%s refused events that fit: %v", what, err)
			}
		}
		if wrong != "" {
			return
		}
		batches, err := e.Open(data.Order{BatchSize: size})
		if err != nil {
			t.Fatal(err)
		}
		batch, err := batches.Batch(rapid.IntRange(0, 100).Draw(t, "step"))
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range batch.Parts() {
			whole := e.Parts()[i]
			if dims := p.Value.Shape().Dimensions; p.Name != whole.Name || dims[0] != size || !slices.Equal(dims[1:], whole.Value.Shape().Dimensions[1:]) {
				t.Errorf("part %s of the batch is %s, of the events %s", p.Name, p.Value.Shape(), whole.Value.Shape())
			}
		}
	})
}

package coupling_test

import (
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami/coupling"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"github.com/gomlx/gomlx/core/tensors"
)

// With a weight for contexts optimal transport keeps the rules of couplings, and takes contexts.
func TestTransportWithContextsPasses(t *testing.T) {
	for _, weight := range []float64{0.5, 100, math.Inf(1)} {
		c := coupling.OptimalTransport{Context: weight}
		if err := coupling.Check(c); err != nil {
			t.Error(err)
		}
		if !coupling.TakesContexts(c) {
			t.Errorf("%v takes no contexts", c)
		}
	}
	if coupling.TakesContexts(coupling.OptimalTransport{}) {
		t.Error("without a weight it takes contexts")
	}
	_, err := coupling.OptimalTransport{Context: -1}.Pair(nil, normal(1, 3, 2, 1), normal(2, 3, 2, 1), nil)
	gomlxtest.Says(t, "a negative weight", err, "Context is -1")
	far := tensors.FromFlatDataAndDimensions([]float64{0, 1e150, 0}, 3, 1)
	_, err = coupling.OptimalTransport{Context: 1e10}.Pair(nil, normal(1, 3, 2, 1), normal(2, 3, 2, 1), far)
	gomlxtest.Says(t, "contexts far apart", err, "the cost overflows")
}

// Within equal contexts rows are paired as they would be if there were no others; with growing
// weight events are further apart and contexts closer.
func TestTransportWithinContexts(t *testing.T) {
	const n = 60
	x, y := normal(5, n, 2, 1), normal(6, n, 2, 1)
	xs, ys := gomlxtest.Floats(t, x, nil), gomlxtest.Floats(t, y, nil)
	classes := make([]float64, n)
	for i := range classes {
		classes[i] = float64(i * i % 3)
	}
	c := tensors.FromFlatDataAndDimensions(classes, n, 1)
	got, err := coupling.OptimalTransport{Context: math.Inf(1)}.Pair(nil, x, y, c)
	if err != nil {
		t.Fatal(err)
	}
	for class := range 2 { // squares are 0 or 1 modulo 3
		var rows []int
		var a, b []float64
		for i := range n {
			if classes[i] == float64(class) {
				rows, a, b = append(rows, i), append(a, xs[2*i:2*i+2]...), append(b, ys[2*i:2*i+2]...)
			}
		}
		own, err := coupling.OptimalTransport{}.Pair(nil, tensors.FromFlatDataAndDimensions(a, len(rows), 2), tensors.FromFlatDataAndDimensions(b, len(rows), 2), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			if got[row] != rows[own[i]] {
				t.Fatalf("class %d: event %d is paired with row %d, alone with %d", class, row, got[row], rows[own[i]])
			}
		}
	}
	apart := func(weight float64) (events, contexts float64) {
		z := normal(7, n, 1, 1)
		zs := gomlxtest.Floats(t, z, nil)
		pairs, err := coupling.OptimalTransport{Context: weight}.Pair(nil, x, y, z)
		if err != nil {
			t.Fatal(err)
		}
		for i, j := range pairs {
			events += (ys[2*i]-xs[2*j])*(ys[2*i]-xs[2*j]) + (ys[2*i+1]-xs[2*j+1])*(ys[2*i+1]-xs[2*j+1])
			contexts += (zs[i] - zs[j]) * (zs[i] - zs[j])
		}
		return events / n, contexts / n
	}
	events, contexts := apart(0)
	for _, weight := range []float64{0.3, 3, 300} {
		e, c := apart(weight)
		if !(e > events && c < contexts) {
			t.Errorf("with the weight %v events are %.3f apart and contexts %.3f, with less %.3f and %.3f", weight, e, c, events, contexts)
		}
		events, contexts = e, c
	}
}

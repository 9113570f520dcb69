package metric_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/spatial/vptree"

	"github.com/nami-flow/go-nami/nami/metric"
	"github.com/nami-flow/go-nami/nami/toy"
)

func random(seed uint64, dims ...int) *tensors.Tensor {
	size := 1
	for _, d := range dims {
		size *= d
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	flat := make([]float64, size)
	for i := range flat {
		flat[i] = rng.NormFloat64()
	}
	return tensors.FromFlatDataAndDimensions(flat, dims...)
}

type point struct {
	index int
	at    vptree.Point
}

func (p point) Distance(other vptree.Comparable) float64 {
	return p.at.Distance(other.(point).at)
}

func points(x *tensors.Tensor) []vptree.Comparable {
	flat := tensors.MustCopyFlatData[float64](x)
	size := len(flat) / x.Shape().Dimensions[0]
	var list []vptree.Comparable
	for i := 0; i*size < len(flat); i++ {
		list = append(list, point{i, flat[i*size : (i+1)*size]})
	}
	return list
}

func TestNearestAgreesWithVPTree(t *testing.T) {
	query, reference := random(1, 101, 5, 5), random(2, 301, 5, 5)
	got, err := metric.Nearest(query, reference)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := vptree.New(points(reference), 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, q := range points(query) {
		want, distance := tree.Nearest(q)
		if got.Index[i] != want.(point).index || math.Abs(got.Distance[i]-distance) > 1e-12 {
			t.Errorf("event %d: %d at %g, want %d at %g", i, got.Index[i], got.Distance[i], want.(point).index, distance)
		}
	}
}

func TestNearestOtherLeavesItselfOut(t *testing.T) {
	x := random(3, 200, 18)
	got, err := metric.NearestOther(x)
	if err != nil {
		t.Fatal(err)
	}
	all := points(x)
	for i := range all {
		best := -1
		for j := range all {
			if j != i && (best < 0 || all[i].Distance(all[j]) < all[i].Distance(all[best])) {
				best = j
			}
		}
		if got.Index[i] != best || math.Abs(got.Distance[i]-all[i].Distance(all[best])) > 1e-12 {
			t.Errorf("event %d: %d at %g, want %d", i, got.Index[i], got.Distance[i], best)
		}
	}
}

func TestTiesGoToTheFirst(t *testing.T) {
	got, err := metric.Nearest(tensors.FromValue([][]float32{{0}}), tensors.FromValue([][]float32{{2}, {1}, {-1}, {1}}))
	if err != nil {
		t.Fatal(err)
	}
	if got.Index[0] != 1 || got.Distance[0] != 1 {
		t.Errorf("got %+v", got)
	}
	twins, err := metric.NearestOther(tensors.FromValue([][]float32{{4}, {9}, {4}}))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(twins.Index, []int{2, 0, 0}) || !slices.Equal(twins.Distance, []float64{0, 5, 0}) {
		t.Errorf("got %+v", twins)
	}
}

// Leave-one-out 1-NN is known to be right on almost all of these digits.
func TestNearestOtherClassifiesDigits(t *testing.T) {
	digits, err := toy.Digits()
	if err != nil {
		t.Fatal(err)
	}
	got, err := metric.NearestOther(digits.Images)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i, j := range got.Index {
		if digits.Labels[i] == digits.Labels[j] {
			right++
		}
	}
	if share := float64(right) / float64(len(got.Index)); share < 0.98 {
		t.Errorf("%.4f right, want at least 0.98", share)
	}
}

func TestMisuseIsAnErrorThatTeaches(t *testing.T) {
	good := random(1, 4, 3)
	for name, c := range map[string]struct {
		query, reference *tensors.Tensor
		want             string
	}{
		"nil query":       {nil, good, "query is nil"},
		"nil reference":   {good, nil, "reference is nil"},
		"scalar":          {tensors.FromValue(1.0), good, "query is a scalar"},
		"axis":            {random(1, 4, 2), good, "axis 1 differs"},
		"rank":            {random(1, 4, 3, 1), good, "ranks differ"},
		"empty reference": {good, random(1, 0, 3), "reference is empty"},
		"empty event":     {random(1, 4, 0), random(1, 4, 0), "at least one value"},
		"integers":        {tensors.FromValue([][]int32{{1}}), good, "convert it"},
		"NaN":             {tensors.FromValue([][]float32{{1, 2, 3}, {1, float32(math.NaN()), 3}}), good, "first in event 1"},
		"infinite":        {good, tensors.FromValue([][]float64{{1, math.Inf(-1), 3}}), "reference has 1 values"},
		"overflow":        {tensors.FromValue([][]float64{{1e300, 0, 0}}), good, "overflow"},
	} {
		if _, err := metric.Nearest(c.query, c.reference); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, want one with %q", name, err, c.want)
		}
	}
	if _, err := metric.NearestOther(random(1, 1, 3)); err == nil || !strings.Contains(err.Error(), "at least two") {
		t.Errorf("one event: error is %v", err)
	}
	if _, err := metric.NearestOther(nil); err == nil {
		t.Error("nil: no error")
	}
	got, err := metric.Nearest(random(1, 0, 3), good)
	if err != nil || len(got.Index) != 0 || len(got.Distance) != 0 {
		t.Errorf("empty query: %+v, %v", got, err)
	}
}

func ExampleNearest() {
	data := tensors.FromValue([][]float32{{0, 0}, {3, 4}})
	samples := tensors.FromValue([][]float32{{0, 1}, {3, 3}, {0, 0}})
	near, err := metric.Nearest(samples, data)
	if err != nil {
		panic(err)
	}
	fmt.Println(near.Index, near.Distance)
	// Output: [0 1 0] [1 1 0]
}

func ExampleNearestOther() {
	near, err := metric.NearestOther(tensors.FromValue([][]float32{{0}, {1}, {5}}))
	if err != nil {
		panic(err)
	}
	fmt.Println(near.Index, near.Distance)
	// Output: [1 0 1] [1 1 4]
}

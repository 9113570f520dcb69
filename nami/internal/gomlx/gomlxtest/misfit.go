package gomlxtest

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/tests/property"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"
)

// Shape draws any dimensions: rank 0 to 4, sizes 0 to 4.
func Shape(t *rapid.T, name string) []int {
	return rapid.SliceOfN(rapid.IntRange(0, 4), 0, 4).Draw(t, name)
}

// Refused fails the test if a call was refused though all fits, and if what it says doesn't
// teach.
func Refused(t rapid.TB, what string, err error) {
	t.Helper()
	if t, ok := t.(*rapid.T); ok && property.Fits(t) {
		t.Errorf("%s: refused though nothing is odd: %v", what, err)
	}
	Teaches(t, what, err)
}

// Misfit draws what is given for an argument that should be float32 of certain dimensions:
// mostly that is what it gets, and else nil, a tensor of other dimensions or of
// another dtype, or one with a value that is not finite or out of proportion.
func Misfit(t *rapid.T, name string, dims ...int) *tensors.Tensor {
	dims, dtype, odd := slices.Clone(dims), dtypes.Float32, 0.0
	kinds := slices.Concat(slices.Repeat([]string{"as expected"}, 40),
		[]string{"nil", "any shape", "an axis more", "an axis less", "another size", "no row", "another dtype", "an odd value"})
	if property.AllFits(t) {
		kinds = kinds[:1]
	}
	kind := rapid.SampledFrom(kinds).Draw(t, name)
	if kind != "as expected" {
		property.Odd(t, name+": "+kind)
	}
	switch kind {
	case "nil":
		return nil
	case "any shape":
		dims = Shape(t, "shape")
	case "an axis more":
		dims = slices.Insert(dims, rapid.IntRange(0, len(dims)).Draw(t, "axis"), rapid.IntRange(0, 3).Draw(t, "size"))
	case "an axis less":
		dims = dims[:max(0, len(dims)-1)]
	case "another size":
		if len(dims) > 0 {
			dims[rapid.IntRange(0, len(dims)-1).Draw(t, "axis")] = rapid.IntRange(0, 4).Draw(t, "size")
		}
	case "no row":
		if len(dims) > 0 {
			dims[0] = 0
		}
	case "another dtype":
		dtype = rapid.SampledFrom([]dtypes.DType{dtypes.Float64, dtypes.Int32}).Draw(t, "dtype")
	case "an odd value":
		odd = rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e30, 1e-30}).Draw(t, "value")
	}
	size, lowest := 1, rapid.SampledFrom([]float64{0.25, -0.5, 0}).Draw(t, "lowest")
	for axis, d := range dims {
		dims[axis] = max(0, d) // a bad distribution's shape may be negative
		size *= dims[axis]
	}
	flat := make([]float64, size)
	for i := range flat {
		flat[i] = lowest + math.Abs(math.Sin(float64(1+i)))
	}
	if size > 0 && odd != 0 {
		flat[size/2] = odd
	}
	return filled(dtype, flat, dims)
}

func filled(dtype dtypes.DType, flat []float64, dims []int) *tensors.Tensor {
	switch dtype {
	case dtypes.Float64:
		return tensors.FromFlatDataAndDimensions(flat, dims...)
	case dtypes.Int32:
		return tensors.FromFlatDataAndDimensions(converted[int32](flat), dims...)
	default:
		return tensors.FromFlatDataAndDimensions(converted[float32](flat), dims...)
	}
}

func converted[T int32 | float32](flat []float64) []T {
	out := make([]T, len(flat))
	for i, v := range flat {
		out[i] = T(v)
	}
	return out
}

// Teaches fails the test unless an error says what was wrong: a shape, a value or a type, or
// that something is nil or missing, and in words, not Go's.
func Teaches(t rapid.TB, what string, err error) {
	t.Helper()
	if s := err.Error(); !named.MatchString(s) || blunt.MatchString(s) {
		t.Errorf("%s: the error doesn't teach: %s", what, s)
	}
}

var (
	named = regexp.MustCompile(`[0-9]|\(\)|nil|NaN|Inf|empty|[Nn]one|\bno\b|\b[a-z]+\.[A-Z]`)
	blunt = regexp.MustCompile(`runtime error|interface conversion|reflect[:.]|nil pointer|slice bounds|index out of range|goroutine`)
)

// Bears runs a call at eager level and fails the test if it panics, if it is refused though
// nothing is odd, if its error doesn't teach, and if a result has another shape than is
// wanted or a value that is NaN.
func Bears(t rapid.TB, what string, call func() ([]*tensors.Tensor, error), want ...[]int) {
	t.Helper()
	out, err := calmly(t, what, call)
	if err != nil {
		Refused(t, what, err)
		return
	}
	for i, dims := range want {
		if got := out[i].Shape(); !slices.Equal(got.Dimensions, dims) {
			t.Errorf("%s: result %d is %s, expected the shape %v", what, i, got, dims)
		}
	}
	for i, x := range out {
		err := gomlx.EachFloat(x, func(k int, v float64) {
			if math.IsNaN(v) || math.IsInf(v, 1) {
				t.Errorf("%s: value %d of result %d, %s, is %v, without an error", what, k, i, x.Shape(), v)
			}
		})
		if err != nil {
			t.Errorf("%s: result %d: %v", what, i, err)
		}
	}
}

// calmly is the call's answer; a panic fails the test.
func calmly(t rapid.TB, what string, call func() ([]*tensors.Tensor, error)) (out []*tensors.Tensor, err error) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			if strings.HasPrefix(fmt.Sprintf("%T", p), "rapid.") {
				panic(p)
			}
			t.Errorf("%s: panicked: %v", what, p)
			err = fmt.Errorf("panicked with 1 value")
		}
	}()
	return call()
}

// Refuses builds a graph and fails the test unless it panics with what teaches, and says
// want where nothing else is odd.
func Refuses(t *rapid.T, backend compute.Backend, what, want string, in []*tensors.Tensor, build func(in []*Node) []*Node) {
	t.Helper()
	err := building(backend, in, build)
	if err == nil {
		if property.Fits(t) { // else what doesn't fit may have become what does
			t.Errorf("%s: accepted, expected it to say %q", what, want)
		}
		return
	}
	Teaches(t, what, err)
	if property.Fits(t) && !strings.Contains(err.Error(), want) {
		t.Errorf("%s: got %v, expected it to say %q", what, err, want)
	}
}

// building is the error of a graph of inputs with the tensors' shapes, nil for a nil tensor.
func building(backend compute.Backend, in []*tensors.Tensor, build func(in []*Node) []*Node) error {
	g := NewGraph(backend, "bad input")
	defer g.Finalize()
	return gomlx.Try(func() error {
		nodes := make([]*Node, len(in))
		for i, x := range in {
			if x != nil {
				nodes[i] = Parameter(g, fmt.Sprint("in", i), x.Shape())
			}
		}
		build(nodes)
		return nil
	})
}

// Builds builds a graph of inputs with the tensors' shapes, nil for a nil tensor, and fails
// the test if it panics though nothing is odd, or with what doesn't teach, or if a result
// has another shape than is wanted. The graph isn't run.
func Builds(t rapid.TB, backend compute.Backend, what string, in []*tensors.Tensor, build func(in []*Node) []*Node, want ...[]int) {
	t.Helper()
	err := building(backend, in, func(nodes []*Node) []*Node {
		out := build(nodes)
		for i, dims := range want {
			if got := out[i].Shape(); !slices.Equal(got.Dimensions, dims) {
				t.Errorf("%s: result %d is %s, expected the shape %v", what, i, got, dims)
			}
		}
		return out
	})
	if err != nil {
		Refused(t, what, err)
	}
}

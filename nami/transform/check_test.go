package transform_test

import (
	"testing"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/transform"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

var whiten = transform.Whiten{Mean: []float64{1, -2, 3}, Matrix: [][]float64{{2, 0.5, 0}, {-0.3, 1, 0.2}, {0, 0.1, -0.5}}}

// A chain of groups of columns, of which one makes two columns of each.
var mixed = transform.Columns{
	{Of: []int{4, 1}, By: transform.Chain{transform.Dequantize{}, transform.Logarithm{Shift: 100}}},
	{Of: []int{2}, By: transform.Circle{Period: 24}},
	{Of: []int{3}, By: transform.Logit{Low: -1, High: 2}},
}

func TestAllTransformsPassCheck(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		type test struct {
			t     transform.Transform
			event []int
		}
		all := []test{
			{transform.Chain{mixed, transform.Standardize{Mean: make([]float64, 6), Std: []float64{1, 2, 3, 4, 5, 6}}}, []int{2, 5}},
			{transform.Chain{transform.Logarithm{}, whiten, transform.Asinh{}}, []int{3}},
			{transform.Standardize{Mean: []float64{3}, Std: []float64{0.1}}, nil},
			{transform.Standardize{Mean: []float64{3, -1}, Std: []float64{0.1, 20}}, []int{3, 2}},
			{transform.Standardize{Mean: []float64{1, 2, 3, 4, 5, 6}, Std: []float64{1, 2, 3, 4, 5, 6}}, []int{3, 2}},
			{whiten, []int{3}},
			{whiten, []int{2, 3}},
			{transform.Logarithm{}, []int{2}},
			{transform.Logarithm{Shift: 1.5}, nil},
			{transform.Logit{}, []int{2}},
			{transform.Logit{Low: -3, High: 5}, []int{2, 2}},
			{transform.Probit{}, []int{2}},
			{transform.Probit{Low: -3, High: 5}, []int{2, 2}},
			{transform.Asinh{}, []int{2}},
			{transform.Asinh{Scale: 50}, []int{2}},
			{transform.Dequantize{}, []int{3}},
			{transform.Dequantize{Step: 1. / 255}, []int{3}},
			{transform.Circle{}, []int{1}},
			{transform.Circle{Period: 360, Low: -180}, []int{2, 3}},
			{transform.Chain{}, []int{2}},
			{transform.Columns{}, []int{2}},
			{transform.Columns{{Of: []int{3, 0, 1}, By: whiten}}, []int{2, 4}},
			{mixed, []int{5}},
		}
		if backends.Few(backend) {
			all = all[:2] // which hold most of the others; each takes two seconds to compile
		}
		for _, test := range all {
			if err := transform.Check(backend, test.t, test.event...); err != nil {
				t.Errorf("%#v for events of %v: %v", test.t, test.event, err)
			}
		}
	})
}

// broken is the transform y = x + 1, of which a test replaces a part.
type broken struct {
	forward func(x *Node) (y, logDet *Node)
	inverse func(y *Node) (x, logDet *Node)
	shape   func(event []int) ([]int, error)
}

func (b broken) Forward(_ distribution.Random, x *Node) (y, logDet *Node) {
	if b.forward != nil {
		return b.forward(x)
	}
	return AddScalar(x, 1), ZerosLike(x)
}

func (b broken) Inverse(y *Node) (x, logDet *Node) {
	if b.inverse != nil {
		return b.inverse(y)
	}
	return AddScalar(y, -1), ZerosLike(y)
}

func (b broken) ModelShape(event []int) ([]int, error) {
	if b.shape != nil {
		return b.shape(event)
	}
	return event, nil
}

func TestCheckFinds(t *testing.T) {
	backend := gomlxtest.Go(t)
	if err := transform.Check(backend, broken{}, 2, 3); err != nil {
		t.Fatal(err)
	}
	for want, b := range map[string]broken{
		"logDet adds up to 3 over row 0": {
			forward: func(x *Node) (y, logDet *Node) { return AddScalar(x, 1), OnesLike(x) },
			inverse: func(y *Node) (x, logDet *Node) { return AddScalar(y, -1), OnesLike(y) },
		},
		"logDet of Inverse is 0.5 at value 0, expected 0": {inverse: func(y *Node) (x, logDet *Node) { return AddScalar(y, -1), AddScalar(ZerosLike(y), 0.5) }},
		"Inverse of what Forward made is":                 {inverse: func(y *Node) (x, logDet *Node) { return AddScalar(y, -2), ZerosLike(y) }},
		"Inverse returned (Float32)[3, 2]":                {inverse: func(y *Node) (x, logDet *Node) { return Transpose(y, -1, -2), ZerosLike(y) }},
		"the logDet of Forward returned (Float32)[2]":     {forward: func(x *Node) (y, logDet *Node) { return AddScalar(x, 1), ReduceSum(x, -1) }},
		"rows of the last axis must not depend": {
			forward: func(x *Node) (y, logDet *Node) { return Reverse(x, -2), ZerosLike(x) },
			inverse: func(y *Node) (x, logDet *Node) { return Reverse(y, -2), ZerosLike(y) },
		},
		"of an event alone is": {
			forward: func(x *Node) (y, logDet *Node) {
				if x.Rank() < 3 {
					return x, ZerosLike(x)
				}
				return Sub(x, ReduceAndKeep(x, ReduceMean, 0)), ZerosLike(x)
			},
			inverse: func(y *Node) (x, logDet *Node) {
				if y.Rank() < 3 {
					return y, ZerosLike(y)
				}
				return Sub(y, ReduceAndKeep(y, ReduceMean, 0)), ZerosLike(y)
			},
		},
		"only the last axis may differ": {shape: func(event []int) ([]int, error) { return []int{6}, nil }},
	} {
		gomlxtest.Says(t, want, transform.Check(backend, b, 2, 3), want)
	}
	gomlxtest.Says(t, "a nil transform", transform.Check(backend, nil, 2), "the transform is nil")
	gomlxtest.Says(t, "no backend", transform.Check(nil, broken{}, 2), "the backend is nil")
	gomlxtest.Says(t, "one that isn't fitted", transform.Check(backend, transform.Whiten{}, 2), "Mean and Matrix are empty")
}

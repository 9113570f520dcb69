package main

import (
	"math"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"
)

// sampler draws points of the plane, with a label of each.
type sampler func(random *rand.Rand, n int) (points [][2]float32, labels []float32)

// normal is the standard normal distribution.
func normal(random *rand.Rand, n int) (points [][2]float32, labels []float32) {
	for range n {
		points = append(points, [2]float32{float32(random.NormFloat64()), float32(random.NormFloat64())})
	}
	return points, make([]float32, n)
}

// gaussians are eight of variance √0.1 on a circle of radius 5, as torchcfm has them.
func gaussians(random *rand.Rand, n int) (points [][2]float32, labels []float32) {
	deviation := math.Sqrt(math.Sqrt(0.1))
	for range n {
		k := random.IntN(8)
		sin, cos := math.Sincos(math.Pi / 4 * float64(k))
		points = append(points, [2]float32{float32(5*cos + deviation*random.NormFloat64()), float32(5*sin + deviation*random.NormFloat64())})
		labels = append(labels, float32(k))
	}
	return points, labels
}

// moons are two half circles, stretched three times and moved by -1, with noise that is uniform on
// [0, 0.2] before that. Half of the points are on each, evenly spaced and in random order, as
// torchcfm has them. Labels are -1 and 1.
func moons(random *rand.Rand, n int) (points [][2]float32, labels []float32) {
	for _, i := range random.Perm(n) {
		label := float64(2*(i%2) - 1)
		sin, cos := math.Sincos(math.Pi * (float64(i/2) + 0.5) / float64((n+1)/2))
		x, y := cos, sin
		if label > 0 {
			x, y = 1-cos, 0.5-sin
		}
		at := func(v float64) float32 { return float32(3*(v+0.2*random.Float64()) - 1) }
		points = append(points, [2]float32{at(x), at(y)})
		labels = append(labels, float32(label))
	}
	return points, labels
}

// curve is the S of scikit-learn's make_s_curve without its depth, with noise of 0.05, stretched 1.5
// times.
func curve(random *rand.Rand, n int) (points [][2]float32, labels []float32) {
	for range n {
		t := 3 * math.Pi * (random.Float64() - 0.5)
		x, y := math.Sin(t), math.Copysign(1, t)*(math.Cos(t)-1)
		points = append(points, [2]float32{float32(1.5 * (x + 0.05*random.NormFloat64())), float32(1.5 * (y + 0.05*random.NormFloat64()))})
	}
	return points, make([]float32, n)
}

// condition is what a flow is told of its target.
type condition int

const (
	none condition = iota
	class
	abscissa // the x-coordinate
)

// contexts are the conditions of points; nil for none.
func (c condition) contexts(points [][2]float32, labels []float32) *tensors.Tensor {
	switch c {
	case class:
		return tensors.FromFlatDataAndDimensions(labels, len(labels), 1)
	case abscissa:
		flat := make([]float32, len(points))
		for i, p := range points {
			flat[i] = p[0]
		}
		return tensors.FromFlatDataAndDimensions(flat, len(flat), 1)
	}
	return nil
}

func tensor(points [][2]float32) *tensors.Tensor {
	flat := make([]float32, 0, 2*len(points))
	for _, p := range points {
		flat = append(flat, p[:]...)
	}
	return tensors.FromFlatDataAndDimensions(flat, len(points), 2)
}

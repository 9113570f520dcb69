// Package toy holds small data sets with which to try, teach and test generative
// models: points drawn from a seed, some with labels or a known density, and real images
// that are embedded. Package data prepares them, and yours, for training.
//
//	                  dimensions  labels                     density
//	TwoMoons          2           the moon                   no
//	TwoSpirals        2           the spiral                 no
//	Checkerboard      2           no                         yes
//	Ring              2           the mode                   yes
//	Shell             2           1 signal, 0 background     yes
//	GaussianMixture   any         the component              yes
//	ParametricMixture any         1 signal, 0 background     yes, and the likelihood ratio
//	Digits            8×8×1       the digit                  no
//
// A seed gives the same points on every run, and fewer points are the first of more.
// [Poisson] draws how many there are, where an experiment would count them. Of a GaussianMixture
// more is known: what a perfect network would learn of it, and its posterior given a linear
// measurement.
package toy

import "github.com/gomlx/gomlx/core/tensors"

// Set is a distribution from which points can be drawn.
type Set interface {
	// Sample returns n points as float32 [n, dimensions].
	Sample(seed int64, n int) (*tensors.Tensor, error)
}

// Labelled is a set whose points belong to classes.
type Labelled interface {
	Set

	// SampleLabelled returns the points that Sample does, and the class of each.
	SampleLabelled(seed int64, n int) (points *tensors.Tensor, labels []int, err error)
}

// Density is a set whose density is known in closed form.
type Density interface {
	Set

	// LogProb is the log-density of points, lead+[dimensions], in nats: of the lead's
	// shape and the points' dtype, computed in float64. It is an error if their last axis
	// has another size, or if one is not finite.
	LogProb(points *tensors.Tensor) (*tensors.Tensor, error)
}

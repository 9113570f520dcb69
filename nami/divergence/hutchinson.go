package divergence

import (
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Probe is the distribution of Hutchinson's random vectors.
type Probe int

const (
	// Rademacher vectors have entries ±1: of all vectors with independent entries they give
	// the least variance, and none from the Jacobian's diagonal.
	Rademacher Probe = iota

	// Gaussian vectors have standard normal entries.
	Gaussian
)

// String names the distribution.
func (p Probe) String() string {
	switch p {
	case Rademacher:
		return "Rademacher"
	case Gaussian:
		return "Gaussian"
	}
	return fmt.Sprintf("Probe(%d)", int(p))
}

// Hutchinson estimates the trace as the mean of ε·(∂v/∂x)·ε over random vectors with mean
// 0 and covariance 1 (Hutchinson 1990, doi 10.1080/03610919008812866; for flows:
// Grathwohl et al. 2019, arXiv:1810.01367). It is unbiased, and costs one vector–Jacobian
// product for each probe, whatever the event's size.
type Hutchinson struct {
	// Probe is the distribution of the vectors; Rademacher if unset.
	Probe Probe

	// N is the number of probes for each event; 1 if 0.
	N int
}

var _ Stochastic = Hutchinson{}

func (h Hutchinson) n() int {
	if h.N == 0 {
		return 1
	}
	return h.N
}

// Probes implements [Stochastic]: lead+[N]+event numbers.
func (h Hutchinson) Probes(random distribution.Random, g *Graph, x shapes.Shape, rank int) *Node {
	lead, event, err := shape.Split(x.Dimensions, rank)
	if err == nil {
		err = h.Check(event)
	}
	if err != nil {
		panic(err)
	}
	s := shapes.Make(x.DType, slices.Concat(lead, []int{h.n()}, event)...)
	if h.Probe == Gaussian {
		return gomlx.Normal(random, g, s)
	}
	u := random.RandomUniform(g, s)
	return Where(LessThan(u, ConstAs(u, 0.5)), ConstAs(u, -1), ConstAs(u, 1))
}

// Check implements [Estimator].
func (h Hutchinson) Check([]int) error {
	if h.Probe != Rademacher && h.Probe != Gaussian {
		return fmt.Errorf("divergence.Hutchinson: Probe is %v: it must be Rademacher or Gaussian", h.Probe)
	}
	if h.N < 0 {
		return fmt.Errorf("divergence.Hutchinson: N is %d: it must be at least 1, or 0 for 1", h.N)
	}
	return nil
}

// Estimate implements [Estimator]. It panics unless probes are lead+[n]+event, for any n.
func (h Hutchinson) Estimate(f func(x *Node) *Node, x *Node, rank int, probes *Node) (value, divergence *Node) {
	lead, event, err := shape.Split(x.Shape().Dimensions, rank)
	if err != nil {
		panic(err)
	}
	if probes == nil {
		exceptions.Panicf("divergence.Hutchinson: the probes are nil: draw them once for a solve with Probes")
	}
	dims, at := probes.Shape().Dimensions, len(lead)
	if len(dims) != x.Rank()+1 || !slices.Equal(slices.Delete(slices.Clone(dims), at, at+1), x.Shape().Dimensions) || dims[at] < 1 {
		exceptions.Panicf("divergence.Hutchinson: the probes are %s, x is %s: expected the lead %s, the number of probes and the event %s",
			probes.Shape(), x.Shape(), shape.Format(lead), shape.Format(event))
	}
	value = apply(f, x)
	v, n, size := rows(value, rank), dims[at], shape.Size(event)
	all := Reshape(probes, -1, n, size)
	for k := range n {
		probe := Reshape(Slice(all, AxisRange(), AxisElem(k), AxisRange()), -1, size)
		estimate := Einsum("nd,nd->n", rows(vjp(v, probe, x), rank), probe)
		if divergence == nil {
			divergence = estimate
		} else {
			divergence = Add(divergence, estimate)
		}
	}
	if n > 1 {
		divergence = Div(divergence, ConstAs(divergence, float64(n)))
	}
	return value, Reshape(divergence, lead...)
}

// String describes the estimator on one line.
func (h Hutchinson) String() string { return fmt.Sprintf("Hutchinson{%v, %d}", h.Probe, h.n()) }

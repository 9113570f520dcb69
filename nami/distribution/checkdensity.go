package distribution

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

const (
	densityRows   = 20_000
	densityErrors = 6 // standard errors, for a false alarm in 5·10⁸ comparisons
)

// checkDensity compares samples with the density p that LogProb claims. For any shift h,
//
//	E[p(x+h)/p(x)] = P(p(x-h) > 0)
//
// if x has the density p, both sides being ∫ p over where p(x-h) is positive, whatever the
// support. A density of another shape breaks it, and one of another scale only the second
// identity, which is looked at for events of one or two values: for any density q,
//
//	E[q(x)/p(x)] = P(p(y) > 0), y ~ q
//
// where q puts a normal kernel on each of some more samples.
func checkDensity(backend compute.Backend, d Distribution, batch []int) error {
	c := &densityCheck{event: d.EventShape(), batch: batch}
	var err error
	if c.moved, err = NewExec(backend, func(key, h *Node) []*Node { return c.build(d, key, h) }); err != nil {
		return err
	}
	defer c.moved.Finalize()
	random := rand.New(rand.NewPCG(3, 4))
	size := shape.Size(c.event)
	spread, err := c.spread(size)
	if err != nil {
		return err
	}
	for k := range min(size, 8) + 2 {
		h := make([]float64, size)
		if k < min(size, 8) { // along an axis of the event, then in random directions
			h[k] = spread[k] / 2
		} else {
			norm := 0.0
			for i := range h {
				h[i] = random.NormFloat64()
				norm += h[i] * h[i]
			}
			for i := range h {
				h[i] *= spread[i] / 2 / math.Sqrt(norm)
			}
		}
		if err := c.shift(h); err != nil {
			return err
		}
	}
	if size > 2 {
		return nil
	}
	return c.kernels(backend, d, random)
}

type densityCheck struct {
	event, batch []int
	moved        *Exec
}

// build is, for each sample x, log p(x+h) - log p(x), whether p(x-h) is positive, and x.
func (c *densityCheck) build(d Distribution, key, h *Node) []*Node {
	g := key.Graph()
	random := gomlx.NewCounter(key, Iota(g, shapes.Make(dtypes.Uint32, densityRows), 0))
	x := d.Sample(random, g, dtypes.Float64, slices.Concat([]int{densityRows}, c.batch)...)
	h = BroadcastToDims(ExpandLeftToRank(h, x.Rank()), x.Shape().Dimensions...)
	p := d.LogProb(x)
	positive := ConvertDType(IsFinite(d.LogProb(Sub(x, h))), dtypes.Float64)
	return []*Node{Sub(d.LogProb(Add(x, h)), p), positive, x}
}

// call runs build for a shift.
func (c *densityCheck) call(h []float64) (ratio, positive, x []float64, err error) {
	key := gomlx.Key(2, 0)
	in := tensors.FromFlatDataAndDimensions(h, c.event...)
	if len(c.event) == 0 {
		in = tensors.FromScalar(h[0])
	}
	out, err := c.moved.Call(key, in)
	if err != nil {
		return nil, nil, nil, err
	}
	for i, to := range []*[]float64{&ratio, &positive, &x} {
		*to = tensors.MustCopyFlatData[float64](out[i])
		out[i].MustFinalizeAll()
	}
	return ratio, positive, x, nil
}

// spread is the standard deviation of each value of an event.
func (c *densityCheck) spread(size int) ([]float64, error) {
	_, _, x, err := c.call(make([]float64, size))
	if err != nil {
		return nil, err
	}
	spread := make([]float64, size)
	n := float64(len(x) / size)
	for i := range spread {
		mean, square := 0.0, 0.0
		for at := i; at < len(x); at += size {
			mean, square = mean+x[at]/n, square+x[at]*x[at]/n
		}
		spread[i] = math.Sqrt(math.Max(square-mean*mean, 0))
	}
	return spread, nil
}

// shift checks the first identity for h or a shorter shift.
func (c *densityCheck) shift(h []float64) error {
	ratio, positive, err := c.shortened(h)
	if err != nil {
		return err
	}
	for i := range ratio {
		ratio[i] = math.Exp(ratio[i]) - positive[i]
	}
	return c.zero(ratio, func(b string, mean, se float64) error {
		return fmt.Errorf("the samples%s don't have the density of LogProb: for the shift h = %.3g, E[p(x+h)/p(x)] - P(p(x-h) > 0) is %.4f ± %.4f over %d samples, and must be 0",
			b, h, mean, se, densityRows)
	})
}

// shortened halves h, in place, until the density changes by less than a factor of 2 or so
// over it: else few samples would decide.
func (c *densityCheck) shortened(h []float64) (ratio, positive []float64, err error) {
	for range 60 {
		if ratio, positive, _, err = c.call(h); err != nil {
			return nil, nil, err
		}
		change, n := 0.0, 0
		for _, r := range ratio {
			if !math.IsInf(r, 0) && !math.IsNaN(r) {
				change, n = change+math.Abs(r), n+1
			}
		}
		if n > 0 && change <= 0.6*float64(n) {
			break
		}
		for i := range h {
			h[i] /= 2
		}
	}
	return ratio, positive, nil
}

// zero is an error if the mean over rows isn't 0 within what its spread allows, for one
// element of the batch.
func (c *densityCheck) zero(values []float64, failed func(batch string, mean, se float64) error) error {
	elements := shape.Size(c.batch)
	n := float64(len(values) / elements)
	for b := range elements {
		mean, square := 0.0, 0.0
		for at := b; at < len(values); at += elements {
			mean, square = mean+values[at]/n, square+values[at]*values[at]/n
		}
		se := math.Sqrt(math.Max(square-mean*mean, 0) / n)
		if math.Abs(mean) <= densityErrors*se+1e-6 {
			continue
		}
		name := ""
		if len(c.batch) > 0 {
			name = fmt.Sprintf(" of element %d of the batch", b)
		}
		return failed(name, mean, se)
	}
	return nil
}

// kernels checks the second identity, with as many kernels as make their sum smooth.
func (c *densityCheck) kernels(backend compute.Backend, d Distribution, random *rand.Rand) error {
	const kernels = 64
	size, elements := shape.Size(c.event), shape.Size(c.batch)
	_, _, x, err := c.call(make([]float64, size))
	if err != nil {
		return err
	}
	spread, err := c.spread(size)
	if err != nil {
		return err
	}
	width := make([]float64, size) // of a kernel, by how fast the density changes along each axis
	for i := range width {
		h := make([]float64, size)
		h[i] = spread[i] / 2
		if _, _, err := c.shortened(h); err != nil {
			return err
		}
		width[i] = h[i]
	}
	rows := densityRows - kernels // the first samples carry the kernels
	at := func(row, b, i int) float64 { return x[(row*elements+b)*size+i] }
	drawn := make([]float64, len(x))
	q := make([]float64, rows*elements)
	for row := range densityRows {
		for b := range elements {
			centre := random.IntN(kernels)
			for i := range size {
				drawn[(row*elements+b)*size+i] = at(centre, b, i) + width[i]*random.NormFloat64()
			}
			if row < kernels {
				continue
			}
			for k := range kernels {
				log := 0.0
				for i := range size {
					z := (at(row, b, i) - at(k, b, i)) / width[i]
					log -= z*z/2 + math.Log(width[i]*math.Sqrt(2*math.Pi))
				}
				q[(row-kernels)*elements+b] += math.Exp(log) / kernels
			}
		}
	}
	lead := slices.Concat([]int{densityRows}, c.batch)
	dims := slices.Concat(lead, c.event)
	out, err := CallOnceN(backend, func(x, y *Node) []*Node {
		return []*Node{d.LogProb(x), ConvertDType(IsFinite(d.LogProb(y)), dtypes.Float64)}
	}, tensors.FromFlatDataAndDimensions(x, dims...), tensors.FromFlatDataAndDimensions(drawn, dims...))
	if err != nil {
		return err
	}
	p, positive := tensors.MustCopyFlatData[float64](out[0]), tensors.MustCopyFlatData[float64](out[1])
	for i := range q {
		q[i] = q[i]/math.Exp(p[kernels*elements+i]) - positive[kernels*elements+i]
	}
	return c.zero(q, func(b string, mean, se float64) error {
		return fmt.Errorf("the samples%s don't have the density of LogProb: for another density q, E[q(x)/p(x)] is off by %.4f ± %.4f over %d samples (is p normalised?)",
			b, mean, se, rows)
	})
}

package transform

import (
	"errors"
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/internal/conformance"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/mat"
)

// Check reports where t breaks a rule of [Transform] for events of a shape in the data's units,
// for a test of your own type: results have the shapes and the dtype that they must, for leads
// of every kind; Inverse undoes Forward, with the same log-determinant; and an event of a batch
// is mapped as it is alone. If Forward draws no random numbers, the
// log-determinant is compared with that of the matrix of central differences too, row by row of
// the last axis, whose values must not depend on those of other rows. All is compared in float64
// to 1e-4, where the model's events are normal numbers.
func Check(backend compute.Backend, t Transform, event ...int) error {
	if t == nil {
		return errors.New("transform.Check: the transform is nil")
	}
	if backend == nil {
		return errors.New("transform.Check: " + gomlx.NoBackend)
	}
	err := gomlx.Try(func() error {
		inModel, err := t.ModelShape(event)
		if err != nil {
			return err
		}
		if len(inModel) != len(event) || len(event) > 0 && !slices.Equal(inModel[:len(event)-1], event[:len(event)-1]) {
			return fmt.Errorf("ModelShape makes %s of an event %s: only the last axis may differ", shape.Format(inModel), shape.Format(event))
		}
		c := checker{backend: backend, t: t, event: event, inModel: inModel}
		c.shapes()
		return errors.Join(c.inverse(), c.derivative())
	})
	if err != nil {
		return fmt.Errorf("transform.Check: %T: %w", t, err)
	}
	return nil
}

type checker struct {
	backend        compute.Backend
	t              Transform
	event, inModel []int
}

// counter is noise whose rows begin at a number.
func counter(key *Node, row int) distribution.Random {
	return gomlx.NewCounter(key, Const(key.Graph(), uint32(row)))
}

// shapes builds graphs that are never run.
func (c checker) shapes() {
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
		for _, lead := range [][]int{{}, {1}, {4}, {2, 3}} {
			g := NewGraph(c.backend, "transform.Check")
			key := Parameter(g, "key", shapes.Make(dtypes.Uint32, 2))
			x := Parameter(g, "x", shapes.Make(dtype, slices.Concat(lead, c.event)...))
			y := Parameter(g, "y", shapes.Make(dtype, slices.Concat(lead, c.inModel)...))
			gotY, logDet := c.t.Forward(counter(key, 0), x)
			conformance.Like("Forward", gotY, "the model's event", y)
			conformance.Like("the logDet of Forward", logDet, "x", x)
			gotX, logDet := c.t.Inverse(y)
			conformance.Like("Inverse", gotX, "the data's event", x)
			conformance.Like("the logDet of Inverse", logDet, "x", x)
			g.Finalize()
		}
	}
}

// events are normal numbers in the model's units, in rows.
func (c checker) events(key *Node, rows int) *Node {
	normal := gomlx.NewCounter(key, Const(key.Graph(), uint32(1000)))
	return normal.Normal(key.Graph(), shapes.Make(dtypes.Float64, slices.Concat([]int{rows}, c.inModel)...))
}

// inverse checks that Inverse undoes Forward, and that events don't depend on each other.
func (c checker) inverse() error {
	const rows, alone = 6, 4
	values, err := conformance.Eval(c.backend, func(in []*Node) []*Node {
		x, _ := c.t.Inverse(c.events(in[0], rows))
		y, logDet := c.t.Forward(counter(in[0], 0), x)
		back, backLogDet := c.t.Inverse(y)
		yAlone, logDetAlone := c.t.Forward(counter(in[0], alone), Slice(x, AxisRange(alone, alone+1)))
		xAlone, _ := c.t.Inverse(Slice(y, AxisRange(alone, alone+1)))
		one := func(x *Node) *Node { return Slice(x, AxisRange(alone, alone+1)) }
		return []*Node{back, x, backLogDet, logDet, yAlone, one(y), logDetAlone, one(logDet), xAlone, one(back)}
	}, gomlx.Key(1, 0))
	if err != nil {
		return err
	}
	for i, what := range []string{
		"Inverse of what Forward made", "logDet of Inverse", "Forward of an event alone", "logDet of an event alone", "Inverse of an event alone",
	} {
		for k, got := range values[2*i] {
			if want := values[2*i+1][k]; !conformance.Near(got, want) || !conformance.Finite(got) {
				return fmt.Errorf("%s is %.6g at value %d, expected %.6g", what, got, k, want)
			}
		}
	}
	return nil
}

// derivative compares the log-determinant with that of central differences.
func (c checker) derivative() error {
	draws, err := Draws(c.backend, c.t, c.event...)
	if err != nil || draws > 0 {
		return err
	}
	if !slices.Equal(c.event, c.inModel) {
		return fmt.Errorf("Forward draws nothing and makes an event %s of one of %s: without noise there is no density, so each event must have as many values", shape.Format(c.inModel), shape.Format(c.event))
	}
	n := shape.Size(c.event)
	values, err := conformance.Eval(c.backend, func(in []*Node) []*Node {
		x, _ := c.t.Inverse(c.events(in[0], 1))
		_, logDet := c.t.Forward(nil, x)
		// Row i has value i moved by a step of its own size.
		one := Reshape(ConvertDType(Diagonal(in[0].Graph(), n), x.DType()), slices.Concat([]int{n}, c.event)...)
		step := MulScalar(AddScalar(Abs(x), 1e-2), 1e-5)
		up, _ := c.t.Forward(nil, Add(x, Mul(one, step)))
		down, _ := c.t.Forward(nil, Sub(x, Mul(one, step)))
		return []*Node{Div(Sub(up, down), MulScalar(step, 2)), logDet}
	}, gomlx.Key(2, 0))
	if err != nil {
		return err
	}
	return c.compare(n, values[0], values[1])
}

// compare finds the log-determinant of each row of the last axis in ∂y_k/∂x_i, slope[i·n+k].
func (c checker) compare(n int, slope, logDet []float64) error {
	width := 1
	if len(c.event) > 0 {
		width = c.event[len(c.event)-1]
	}
	for first := 0; first < n; first += width {
		block := mat.NewDense(width, width, nil)
		for i := range width {
			for k := range n {
				v := slope[(first+i)*n+k]
				if k/width == first/width {
					block.Set(i, k-first, v)
				} else if !conformance.Near(v, 0) {
					return fmt.Errorf("value %d of the model's event moves by %.4g where value %d of the data's moves by 1: rows of the last axis must not depend on each other", k, v, first+i)
				}
			}
		}
		got := 0.0
		for _, share := range logDet[first : first+width] {
			got += share
		}
		if want, _ := mat.LogDet(block); !conformance.Near(got, want) {
			return fmt.Errorf("logDet adds up to %.6g over row %d of the last axis, and the logarithm of what volumes change by is %.6g", got, first/width, want)
		}
	}
	return nil
}

package distribution

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Check reports where d breaks a rule of [Distribution], for a test of your own type: samples
// and log-densities have the shapes and the dtype that they must, for leads of every kind;
// a row of a sample is the same whichever rows are drawn before it, or with it; an event's
// log-density is finite where samples fall, and depends on that event alone; an event of
// another shape is refused, not repeated in silence; if d is [Independent], its values'
// log-densities add up to the event's; and the samples have the density that LogProb claims,
// up to its norm for events of more than two values.
func Check(backend compute.Backend, d Distribution) error {
	if d == nil {
		return errors.New("distribution.Check: the distribution is nil")
	}
	if backend == nil {
		return errors.New("distribution.Check: " + gomlx.NoBackend)
	}
	var batch []int
	if b, ok := d.(Batched); ok {
		batch = b.BatchShape()
	}
	err := gomlx.Try(func() error {
		checkShapes(backend, d, batch)
		if err := checkRows(backend, d, batch); err != nil {
			return err
		}
		return checkDensity(backend, d, batch)
	})
	if err != nil {
		return fmt.Errorf("distribution.Check: %T: %w", d, err)
	}
	return nil
}

// checkShapes builds graphs that are never run.
func checkShapes(backend compute.Backend, d Distribution, batch []int) {
	event := d.EventShape()
	build := func(f func(g *Graph, random Random)) {
		g := NewGraph(backend, "distribution.Check")
		defer g.Finalize()
		f(g, gomlx.NewCounter(Parameter(g, "key", shapes.Make(dtypes.Uint32, 2)), Const(g, uint32(0))))
	}
	like := func(what string, got *Node, dtype dtypes.DType, dims ...int) {
		if want := shapes.Make(dtype, dims...); !got.Shape().Equal(want) {
			panic(fmt.Errorf("%s returned %s: it must have the shape %s", what, got.Shape(), want))
		}
	}
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
		for _, outer := range [][]int{{}, {1}, {4}, {2, 3}} {
			lead := slices.Concat(outer, batch)
			build(func(g *Graph, random Random) {
				x := d.Sample(random, g, dtype, slices.Clone(lead)...)
				like(fmt.Sprintf("Sample of lead %s", shape.Format(lead)), x, dtype, slices.Concat(lead, event)...)
				like(fmt.Sprintf("LogProb of x of %s", x.Shape()), d.LogProb(x), dtype, lead...)
				if i, ok := d.(Independent); ok {
					like(fmt.Sprintf("LogProbValues of x of %s", x.Shape()), i.LogProbValues(x), dtype, x.Shape().Dimensions...)
				}
			})
		}
	}
	for axis := range event {
		wrong := slices.Concat([]int{4}, batch, event)
		wrong[1+len(batch)+axis] = 1
		if event[axis] == 1 {
			wrong[1+len(batch)+axis] = 2
		}
		refused := gomlx.Try(func() error {
			build(func(g *Graph, _ Random) { d.LogProb(Parameter(g, "x", shapes.Make(dtypes.Float32, wrong...))) })
			return nil
		})
		if refused == nil {
			panic(fmt.Errorf("LogProb accepted x of shape %s for events of shape %s: it must panic, and never repeat values in silence; shape.Validate finds it",
				shape.Format(wrong), shape.Format(event)))
		}
	}
}

// checkRows draws six rows, and the last two of them again.
func checkRows(backend compute.Backend, d Distribution, batch []int) error {
	const rows, first = 6, 4
	out, err := CallOnceN(backend, func(key *Node) []*Node {
		draw := func(from, n int) *Node {
			random := gomlx.NewCounter(key, Const(key.Graph(), uint32(from)))
			return d.Sample(random, key.Graph(), dtypes.Float64, slices.Concat([]int{n}, batch)...)
		}
		x := draw(0, rows)
		logProb := d.LogProb(x)
		sum := logProb
		if i, ok := d.(Independent); ok {
			sum = ReduceSum(shape.Flatten(i.LogProbValues(x), len(d.EventShape())), -1)
		}
		return []*Node{x, draw(first, rows-first), logProb, d.LogProb(Slice(x, AxisRange(0, 1))), sum}
	}, gomlx.Key(1, 0))
	if err != nil {
		return err
	}
	var values [][]float64
	for _, o := range out {
		values = append(values, tensors.MustCopyFlatData[float64](o))
		o.MustFinalizeAll()
	}
	x, again, logProb, alone, sum := values[0], values[1], values[2], values[3], values[4]
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(1, math.Abs(b)) }
	for k, v := range again {
		if whole := x[first*len(x)/rows+k]; !near(v, whole) {
			return fmt.Errorf("value %d of row %d is %.6g drawn with the rows before it and %.6g without: all that Sample asks of random must have the lead's axes first", k, first, whole, v)
		}
	}
	for k, v := range logProb {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("LogProb is %v at sample %d: it must be finite where samples fall", v, k)
		}
		if !near(sum[k], v) {
			return fmt.Errorf("LogProbValues add up to %.6g at sample %d, where LogProb is %.6g: both must agree", sum[k], k, v)
		}
	}
	for k, v := range alone {
		if !near(v, logProb[k]) {
			return fmt.Errorf("LogProb of sample %d is %.6g among others and %.6g alone: it must depend on that event only", k, logProb[k], v)
		}
	}
	return nil
}

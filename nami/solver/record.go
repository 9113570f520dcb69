package solver

import (
	"math"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// newRecords are the states at the times to be saved: NaN until a step passes a time.
func newRecords(y []*tensors.Tensor, run Run) (records []*tensors.Tensor, err error) {
	atStart := run.Save[0] == run.T0 || y[0].DType() == dtypes.Float32 && float32(run.Save[0]) == float32(run.T0)
	for _, x := range y {
		s := x.Shape().Clone()
		s.Dimensions = append([]int{len(run.Save)}, s.Dimensions...)
		record := tensors.FromShape(s)
		record.MustMutableFlatData(func(flat any) {
			switch values := flat.(type) {
			case []float64:
				for i := range values {
					values[i] = math.NaN()
				}
			case []float32:
				for i := range values {
					values[i] = float32(math.NaN())
				}
			}
		})
		records = append(records, record)
		if !atStart {
			continue
		}
		if err := x.ConstBytes(func(from []byte) {
			err = record.MutableBytes(func(to []byte) { copy(to, from) })
		}); err != nil {
			return records, err
		}
	}
	return records, err
}

// recording is what a loop in fixed steps needs to save states. In a graph T is a *Node, on
// the host a tensor.
type recording[T any] struct {
	times  T   // [times]
	step   T   // [times], int32: the step in which each lies
	atEnd  T   // [times], bool: it is the step's end
	bridge []T // [times]+part for each part, of stochastic methods
}

func (r recording[T]) list() []T { return append([]T{r.times, r.step, r.atEnd}, r.bridge...) }

func recordingOf[T any](list []T, parts int, stochastic bool) (r recording[T], rest []T) {
	r = recording[T]{times: list[0], step: list[1], atEnd: list[2]}
	list = list[3:]
	if stochastic {
		r.bridge, list = list[:parts], list[parts:]
	}
	return r, list
}

// recording makes the inputs of a loop that saves.
func (p *Program) recording(y []*tensors.Tensor, nodes []float64, dtype dtypes.DType, run Run) ([]*tensors.Tensor, error) {
	steps, atEnd, k := make([]int32, len(run.Save)), make([]bool, len(run.Save)), len(run.Save)
	fractions := make([]float64, k)
	for i, t := range run.Save {
		step, end := locate(t, nodes, run)
		steps[i], atEnd[i] = int32(step), end
		if !end {
			from, to := run.node(nodes, step), run.node(nodes, step+1)
			fractions[i] = (t - from) / (to - from)
		}
	}
	r := recording[*tensors.Tensor]{
		times: gomlx.FromFloats(dtype, run.Save, k), step: tensors.FromFlatDataAndDimensions(steps, k),
		atEnd: tensors.FromFlatDataAndDimensions(atEnd, k),
	}
	if !p.solver.Stochastic() {
		return r.list(), nil
	}
	own := append(run.random(), gomlx.FromFloats(dtype, bridge(steps, fractions), k*k))
	defer gomlx.Finalize(own)
	bridges, err := p.bridges.Call(own, y)
	if err != nil {
		gomlx.Finalize(r.list())
		return nil, err
	}
	r.bridge = bridges
	return r.list(), nil
}

// node is the time at which a step begins.
func (r Run) node(nodes []float64, step int) float64 {
	if nodes != nil {
		return nodes[step]
	}
	return r.T0 + (r.T1-r.T0)*float64(step)/float64(r.Steps)
}

// bridge returns the matrix, by rows, that makes of independent normal numbers a Brownian
// bridge over each step, at the times in it: W(θ) - θ·W(1) for a Wiener process W. From one
// of its times to the next a bridge is normal, with the mean B·(1-θ')/(1-θ) and the variance
// (θ'-θ)·(1-θ')/(1-θ).
func bridge(steps []int32, fractions []float64) []float64 {
	k := len(steps)
	matrix := make([]float64, k*k)
	for i, at := range fractions {
		if at == 0 { // the end of a step
			continue
		}
		before, previous := 0., -1
		if i > 0 && steps[i-1] == steps[i] && fractions[i-1] > 0 {
			before, previous = fractions[i-1], i-1
		}
		if previous >= 0 {
			for j := range i {
				matrix[i*k+j] = matrix[previous*k+j] * (1 - at) / (1 - before)
			}
		}
		matrix[i*k+i] = math.Sqrt((at - before) * (1 - at) / (1 - before))
	}
	return matrix
}

// forBridges sets the numbers of bridges apart from those of steps.
const forBridges = 1 << 31

// drawBridges draws the bridges of each part.
func drawBridges(_ *model.Scope, in [][]*Node) (out []*Node) {
	counter := gomlx.NewCounter(in[0][0], in[0][1])
	size := in[0][2].Shape().Size()
	k := int(math.Round(math.Sqrt(float64(size))))
	matrix := Reshape(in[0][2], k, k)
	for part, x := range in[1] {
		g, n := x.Graph(), x.Shape().Dim(0)
		z := counter.Fold(Const(g, int32(0)), forBridges|uint32(part)).Normal(g, shapes.Make(x.DType(), n, k, x.Shape().Size()/n))
		dims := append([]int{k}, x.Shape().Dimensions...)
		out = append(out, Reshape(Einsum("ij,nje->ine", matrix, z), dims...))
	}
	return out
}

// record puts the states at the times within a step in their places.
func record(r recording[*Node], within Interpolant, system System, i *Node, now fixedState, step Step, over Interval) []*Node {
	values := within.at(over, r.times)
	if r.bridge != nil {
		deviations := make([]*Node, len(values))
		switch {
		case step.Deviation != nil:
			deviations[0] = step.Deviation
		case system.Diffusion != nil:
			root := Sqrt(Abs(over.Width()))
			for part, g := range system.Diffusion(now.y, over.From) {
				deviations[part] = Mul(g, root)
			}
		}
		for part, deviation := range deviations {
			switch {
			case deviation == nil:
				continue
			case !deviation.IsScalar():
				deviation = lifted(InsertAxes(deviation, 0), values[part].Rank())
			}
			values[part] = Add(values[part], Mul(r.bridge[part], deviation))
		}
	}
	return put(Equal(r.step, i), r.atEnd, values, step.Y, now.saved)
}

// put replaces saved by values where the mask, of one axis or of the axes of times and lead,
// is true; by the state at the end where atEnd is.
func put(mask, atEnd *Node, values, end, saved []*Node) []*Node {
	out := make([]*Node, len(saved))
	for part := range saved {
		dims := saved[part].Shape().Dimensions
		value := Where(atEnd, BroadcastToDims(InsertAxes(end[part], 0), dims...), BroadcastToDims(values[part], dims...))
		out[part] = Where(mask, value, saved[part])
	}
	return out
}

// putWithin is put for the times in steps of which each sample has its own; accept is true
// for those that are taken.
func putWithin(within Interpolant, over Interval, times, accept *Node, end, saved []*Node) []*Node {
	from, to := over.From, over.To
	if !from.IsScalar() {
		dims := append([]int{times.Shape().Size()}, from.Shape().Dimensions...)
		wide := func(x *Node) *Node { return BroadcastToDims(InsertAxes(x, 0), dims...) }
		times = BroadcastToDims(lifted(times, len(dims)), dims...)
		from, to = wide(from), wide(to)
		accept = BroadcastToDims(InsertAxes(accept, 0), dims...)
	}
	direction := Sign(Sub(to, from))
	after := GreaterThan(Mul(direction, Sub(times, from)), ZerosLike(times))
	before := GreaterOrEqual(Mul(direction, Sub(to, times)), ZerosLike(times))
	mask := LogicalAnd(LogicalAnd(after, before), accept)
	return put(mask, Equal(times, Add(to, ZerosLike(times))), within.at(over, times), end, saved)
}

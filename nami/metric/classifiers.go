package metric

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// classifiers are one network for each fold, whose weights are side by side: they are trained in
// one program, and as Adam looks at each weight by itself, none knows of the others.
type classifiers struct {
	store       *model.Store
	step, judge *model.Exec
	batch       int
	size        int
}

func newClassifiers(backend compute.Backend, size, trained int, random *rand.Rand) (*classifiers, error) {
	c := &classifiers{store: model.NewStore(), batch: min(mostPerBatch, trained), size: size}
	widths := []int{size, unitsPerValue * size, unitsPerValue * size, 1}
	root := c.store.RootScope()
	for layer := range 3 {
		in, out := widths[layer], widths[layer+1] // Glorot & Bengio 2010
		limit := math.Sqrt(6 / float64(in+out))
		for name, n := range map[string]int{"weights": in * out, "biases": out} {
			flat := make([]float32, folds*n)
			for i := range flat {
				flat[i] = float32((2*random.Float64() - 1) * limit)
			}
			dims := []int{folds, n / out, out}
			root.At("layer_%d", layer).VariableWithValue(name, tensors.FromFlatDataAndDimensions(flat, dims...))
		}
	}
	var err error
	if c.step, err = model.NewExec(backend, c.store, c.train); err != nil {
		return nil, err
	}
	c.judge, err = model.NewExec(backend, c.store, func(scope *model.Scope, x, label, weight *Node) *Node {
		guess := ConvertDType(GreaterThan(logits(scope, x), ScalarZero(x.Graph(), x.DType())), x.DType())
		right := OneMinus(Abs(Sub(guess, label)))
		return Div(ReduceSum(Mul(weight, right), -1), ReduceSum(weight, -1))
	})
	return c, err
}

func (c *classifiers) finalize() {
	c.step.Finalize()
	if c.judge != nil {
		c.judge.Finalize()
	}
}

// logits are those of label 1, [folds, n], of events [folds, n, size].
func logits(scope *model.Scope, x *Node) *Node {
	for layer := range 3 {
		of := scope.At("layer_%d", layer)
		x = Add(Einsum("fni,fio->fno", x, of.GetVariable("weights").NodeValue(x)), of.GetVariable("biases").NodeValue(x))
		if layer < 2 {
			x = MaxScalar(x, 0)
		}
	}
	return Squeeze(x, -1)
}

// train is a step on a batch of each fold; it returns their losses, without the penalty.
func (c *classifiers) train(scope *model.Scope, x, label, weight *Node) *Node {
	g := x.Graph()
	c.store.SetTraining(g, true)
	z := logits(scope, x)
	// -log of the probability of the label, without overflow.
	each := Add(Sub(MaxScalar(z, 0), Mul(z, label)), Log1P(Exp(Neg(Abs(z)))))
	events := ReduceSum(weight, -1)
	losses := Div(ReduceSum(Mul(weight, each), -1), MaxScalar(events, 1e-6))
	var squares *Node
	for layer := range 3 {
		s := ReduceSum(Square(scope.At("layer_%d", layer).GetVariable("weights").NodeValue(x)), 1, 2)
		if squares == nil {
			squares = s
		} else {
			squares = Add(squares, s)
		}
	}
	penalised := Add(losses, MulScalar(Div(squares, MaxScalar(events, 1)), penalty/2))
	optimizer.Adam().LearningRate(learningRate).Betas(0.9, 0.999).Epsilon(1e-8).WeightDecay(0).Done().UpdateGraph(scope, g, ReduceAllSum(penalised))
	return Stack([]*Node{losses, events}, 0)
}

// epoch trains on all events of each fold, in the order given, and returns the mean losses.
func (c *classifiers) epoch(ctx context.Context, all labelled, rows [folds][]int) (means [folds]float64, err error) {
	var sums, counts [folds]float64
	for at := 0; at < len(rows[0]); at += c.batch {
		if err := context.Cause(ctx); err != nil {
			return means, err
		}
		var part [folds][]int
		for f := range rows {
			part[f] = rows[f][min(at, len(rows[f])):min(at+c.batch, len(rows[f]))]
		}
		out, err := c.call(c.step, all, part, c.batch)
		if err != nil {
			return means, err
		}
		for f := range means {
			sums[f] += out[f] * out[folds+f]
			counts[f] += out[folds+f]
		}
	}
	for f := range means {
		means[f] = sums[f] / counts[f]
	}
	return means, nil
}

// accuracy is how often each fold's network is right about the events given.
func (c *classifiers) accuracy(all labelled, rows [folds][]int) (shares [folds]float64, err error) {
	most := 0
	for _, r := range rows {
		most = max(most, len(r))
	}
	out, err := c.call(c.judge, all, rows, most)
	copy(shares[:], out)
	return shares, err
}

// call runs a program on n events of each fold; those that are missing count nothing.
func (c *classifiers) call(exec *model.Exec, all labelled, rows [folds][]int, n int) ([]float64, error) {
	x, label, weight := make([]float32, folds*n*c.size), make([]float32, folds*n), make([]float32, folds*n)
	for f, r := range rows {
		for i, row := range r {
			at := f*n + i
			for k := range c.size {
				x[at*c.size+k] = float32(all.events[row*c.size+k])
			}
			label[at], weight[at] = float32(all.labels[row]), float32(all.weights[row])
		}
	}
	in := []*tensors.Tensor{
		tensors.FromFlatDataAndDimensions(x, folds, n, c.size),
		tensors.FromFlatDataAndDimensions(label, folds, n), tensors.FromFlatDataAndDimensions(weight, folds, n),
	}
	out, err := exec.Exec(in[0], in[1], in[2])
	if err = errors.Join(err, finalize(in...)); err != nil {
		return nil, err
	}
	values := make([]float64, out[0].Size())
	err = gomlx.EachFloat(out[0], func(i int, v float64) { values[i] = v })
	return values, errors.Join(err, finalize(out...))
}

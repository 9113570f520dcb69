package train

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/nami/internal/checkpoint"
	"github.com/nami-flow/go-nami/nami/loss"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// stepper builds the graph of a step: the loss of a batch, and how the weights move.
type stepper struct {
	config
	loss loss.Loss
}

// newStepper completes a configuration.
func newStepper(c config, l loss.Loss, steps int) *stepper {
	c.steps = steps
	if c.optimizer == nil {
		c.optimizer = optimizer.Adam().LearningRate(c.learningRate).Betas(0.9, 0.999).Epsilon(1e-8).WeightDecay(0).Done()
	}
	return &stepper{config: c, loss: l}
}

// update builds a step on a batch, and returns the loss. What the loss makes are the
// model's variables; all that are made after it are noted as not the model's.
func (s *stepper) update(scope *model.Scope, b loss.Batch) *Node {
	g, store := b.X.Graph(), scope.Store()
	store.SetTraining(g, true)
	value := s.loss.Loss(scope, b)
	if value == nil || !value.IsScalar() {
		panic(fmt.Errorf("train: the loss %T is %v: it must be a scalar", s.loss, value))
	}
	models := checkpoint.Paths(store)
	s.learn(scope.ResetVisited(), value)
	for _, f := range s.afterStep {
		f(scope.ResetVisited(), b, value)
	}
	checkpoint.AddState(store, slices.DeleteFunc(checkpoint.Paths(store), func(path string) bool { return slices.Contains(models, path) }))
	return value
}

// learn moves the weights down the gradient of value.
func (s *stepper) learn(scope *model.Scope, value *Node) {
	g := value.Graph()
	if s.clip == 0 && s.accumulate == 1 {
		s.move(scope, g, value.DType(), func() { s.optimizer.UpdateGraph(scope, g, value) })
		return
	}
	o, ok := s.optimizer.(interface {
		UpdateGraphWithGradients(scope *model.Scope, gradients []*Node, dtype dtypes.DType)
	})
	if !ok {
		panic(fmt.Errorf("train: the optimizer %T takes no gradients, which ClipNorm and Accumulate need: give it a method UpdateGraphWithGradients, as GoMLX's have", s.optimizer))
	}
	weights, gradients := trained(scope, g), scope.BuildTrainableVariablesGradientsGraph(value)
	apply := func(gradients []*Node) {
		s.move(scope, g, value.DType(), func() {
			o.UpdateGraphWithGradients(scope, s.clipped(weights, gradients), value.DType())
		})
	}
	if s.accumulate == 1 {
		apply(gradients)
		return
	}
	s.accumulated(scope, weights, gradients, apply)
}

// trained are the variables of which gradients are taken, in their order.
func trained(scope *model.Scope, g *Graph) (weights []*model.Variable) {
	for v := range scope.IterVariables() {
		if v.Trainable && v.InUseByGraph(g) {
			weights = append(weights, v)
		}
	}
	return weights
}

// clipped shortens gradients. Squares of single precision overflow beyond 10¹⁹, so they are
// summed in double; and in the order of the variables' paths, as a resumed run has made
// them in another.
func (s *stepper) clipped(weights []*model.Variable, gradients []*Node) []*Node {
	if s.clip == 0 || len(gradients) == 0 {
		return gradients
	}
	order := make([]int, len(weights))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return strings.Compare(weights[i].Path(), weights[j].Path()) })
	g := gradients[0].Graph()
	squares := Const(g, 0.0)
	for _, i := range order {
		squares = Add(squares, ReduceAllSum(Square(ConvertDType(gradients[i], dtypes.Float64))))
	}
	factor := Min(Div(Const(g, s.clip), Sqrt(squares)), Const(g, 1.0))
	shorter := make([]*Node, len(gradients))
	for i, gradient := range gradients {
		shorter[i] = Mul(gradient, ConvertDType(factor, gradient.DType()))
	}
	return shorter
}

// accumulated adds up the gradients of a step's batches, and applies their mean at the last
// of them.
func (s *stepper) accumulated(scope *model.Scope, weights []*model.Variable, gradients []*Node, apply func(gradients []*Node)) {
	g := gradients[0].Graph()
	_, last := count(scope, g, batchesPath, func(n *Node) *Node { return Equal(n, Const(g, int64(s.accumulate))) })
	sums, means := make([]*model.Variable, len(weights)), make([]*Node, len(weights))
	for i, w := range weights {
		sums[i] = zeros(scope, sumsScope+w.Path(), gradients[i].Shape())
		means[i] = Add(sums[i].NodeValue(g), Mul(gradients[i], ConstAs(gradients[i], 1/float64(s.accumulate))))
	}
	when(scope, g, last, func() { apply(means) })
	for i, sum := range sums {
		sum.SetNodeValue(Where(last, ConstAs(means[i], 0), means[i]))
	}
}

// count adds one to a count of int64, which begins again after it was full, and says
// whether it is; full may be nil.
func count(scope *model.Scope, g *Graph, path string, full func(n *Node) *Node) (n, done *Node) {
	v := scope.Store().VariableWithValue(path, int64(0)).SetTrainable(false)
	n = Add(v.NodeValue(g), Const(g, int64(1)))
	if full == nil {
		v.SetNodeValue(n)
		return n, nil
	}
	done = full(n)
	v.SetNodeValue(Where(done, Const(g, int64(0)), n))
	return n, done
}

// zeros is a variable that starts at zero and isn't trained.
func zeros(scope *model.Scope, path string, shape shapes.Shape) *model.Variable {
	return scope.Store().VariableWithShape(path, shape, initializer.Zero).SetTrainable(false)
}

// when lets what f does to weights and to the state of training happen where a condition
// holds, and else leaves both as they are. The variables must exist, as they do from the
// second time that the graph is built.
func when(scope *model.Scope, g *Graph, condition *Node, f func()) {
	store := scope.Store()
	type value struct {
		v   *model.Variable
		old *Node
	}
	var values []value
	for v := range store.IterVariables() {
		if v.Trainable && v.InUseByGraph(g) || checkpoint.IsState(store, v.Path()) && v.Path() != checkpoint.RNGPath && !strings.HasPrefix(v.Path(), checkpoint.BestScope+"/") {
			values = append(values, value{v, v.NodeValue(g)})
		}
	}
	f()
	for _, x := range values {
		if now := x.v.NodeValue(g); now != x.old {
			x.v.SetNodeValue(Where(condition, now, x.old))
		}
	}
}

// move makes a step of the optimiser, and what goes with it: the learning rate before, the
// decay of weights and their averages after.
func (s *stepper) move(scope *model.Scope, g *Graph, dtype dtypes.DType, optimise func()) {
	var step *Node // from 1
	if s.schedule != nil || len(s.averages) > 0 {
		step, _ = count(scope, g, stepsPath, nil)
	}
	s.setRate(scope, g, dtype, step)
	weights := trained(scope, g)
	before := make([]*Node, len(weights))
	for i, w := range weights {
		before[i] = w.NodeValue(g)
	}
	optimise()
	if s.weightDecay > 0 {
		s.decayWeights(scope, g, dtype, weights, before)
	}
	for _, a := range s.averages {
		a.follow(scope, g, step, weights)
	}
}

// setRate makes the step's learning rate, which the optimiser reads from the store.
func (s *stepper) setRate(scope *model.Scope, g *Graph, dtype dtypes.DType, step *Node) {
	if s.learningRate == 0 { // the optimiser's own
		return
	}
	rate := optimizer.LearningRateVar(scope, dtype, s.learningRate)
	if s.schedule == nil {
		return
	}
	fromZero := ConvertDType(Sub(step, Const(g, int64(1))), dtypes.Float64)
	factor := s.schedule.Factor(fromZero, s.steps)
	if factor == nil || !factor.IsScalar() || factor.DType() != dtypes.Float64 {
		panic(fmt.Errorf("train: the Schedule %T gives the factor %v: it must be a Float64 scalar", s.schedule, factor))
	}
	rate.SetNodeValue(ConvertDType(Mul(factor, Const(g, s.learningRate)), rate.DType()))
}

// decayWeights takes a part of what the weights were before the step.
func (s *stepper) decayWeights(scope *model.Scope, g *Graph, dtype dtypes.DType, weights []*model.Variable, before []*Node) {
	rate := scope.Store().GetVariable("/" + optimizer.Scope + "/" + optimizer.ParamLearningRate)
	if rate == nil {
		panic(fmt.Errorf("train: WeightDecay is multiplied by the learning rate, and the optimizer %T keeps none in the store: give LearningRate", s.optimizer))
	}
	part := Mul(rate.NodeValue(g), ConstAs(rate.NodeValue(g), s.weightDecay))
	for i, w := range weights {
		w.SetNodeValue(Sub(w.NodeValue(g), Mul(before[i], ConvertDType(part, w.DType()))))
	}
}

// follow moves an average towards the weights after step s, by (1-d)/(1-d^s) of the way: so
// it is Σ d^(s-i)·w_i / Σ d^(s-i) of the weights w_i after steps 1 to s.
func (a average) follow(scope *model.Scope, g *Graph, step *Node, weights []*model.Variable) {
	s := ConvertDType(step, dtypes.Float64)
	way := Div(Const(g, a.decay-1), Expm1(Mul(s, Const(g, math.Log(a.decay)))))
	for _, w := range weights {
		mean := zeros(scope, checkpoint.AveragesScope+"/"+a.name+w.Path(), w.Shape())
		old := mean.NodeValue(g)
		mean.SetNodeValue(Add(old, Mul(Sub(w.NodeValue(g), old), ConvertDType(way, w.DType()))))
	}
}

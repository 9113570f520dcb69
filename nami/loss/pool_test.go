package loss_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// asked is what a field was asked at, and what its value should have been by the gradient of a
// loss, a row for each event.
type asked struct {
	value          float64 // of the loss
	x, t, want     [][]float64
	training       bool
	data           [][]float64
	context, mask  [][]float64
	weight         []float64
	learned, given bool
}

// ask builds a loss of a field whose values are weights, so that the gradient tells the target.
func (a *asked) ask(t *testing.T, backend compute.Backend, build func(f field.Field) loss.Loss) {
	t.Helper()
	n, d := len(a.data), len(a.data[0])
	parts := [][][]float64{a.data, a.context, a.mask, nil}
	for _, w := range a.weight {
		parts[3] = append(parts[3], []float64{w})
	}
	store := model.NewStore()
	if err := store.SetRNGStateFromSeed(1); err != nil {
		t.Fatal(err)
	}
	out, err := model.CallOnceN(backend, store, func(scope *model.Scope, g *Graph) []*Node {
		scope.Store().SetTraining(g, a.training)
		nodes := make([]*Node, len(parts))
		for i, p := range parts {
			if p != nil {
				nodes[i] = Const(g, p)
			}
		}
		x := nodes[0]
		if a.weight != nil {
			nodes[3] = Squeeze(nodes[3], -1)
		}
		b := loss.Batch{X: x, Context: nodes[1], Mask: nodes[2], Weight: nodes[3]}
		if a.given {
			b.Source = MulScalar(x, 0.3)
		}
		if a.learned {
			shift := scope.WithInitializer(func(g *Graph, s shapes.Shape) *Node { return Zeros(g, s) }).
				VariableWithShape("shift", shapes.Make(x.DType(), 1, d))
			b.X = Add(x, shift.NodeValue(x))
		}
		values := scope.WithInitializer(func(g *Graph, s shapes.Shape) *Node { return Zeros(g, s) }).
			VariableWithShape("values", shapes.Make(x.DType(), n, d)).NodeValue(x)
		var at, time *Node
		f := field.Func{Rank: 1, F: func(_ *model.Scope, x, t, _ *Node) *Node {
			at, time = x, t
			return values
		}}
		value := build(f).Loss(scope, b)
		return []*Node{value, at, time, Gradient(value, values)[0]}
	})
	if err != nil {
		t.Fatal(err)
	}
	rows := func(i, width int) [][]float64 {
		var all [][]float64
		for row := range slices.Chunk(gomlxtest.Floats(t, out[i], nil), width) {
			all = append(all, row)
		}
		return all
	}
	a.value = gomlxtest.Floats(t, out[0], nil)[0]
	a.x, a.t, a.want = rows(1, d), rows(2, 1), rows(3, d)
	for i := range a.want {
		for k := range a.want[i] {
			a.want[i][k] *= -0.5 * float64(d) // of Σ_i 1/d Σ_k (v - u)², at v = 0
			if a.weight != nil {
				a.want[i][k] /= a.weight[i]
			}
		}
	}
}

// mean is the mean of the data that could have come to x_t for event i, in groups of size.
func (a *asked) mean(i, size int, alpha, sigma float64) []float64 {
	n, d := len(a.data), len(a.data[0])
	groups := (n + size - 1) / size
	size = (n + groups - 1) / groups
	mean, sum := make([]float64, d), 0.0
	for j := i / size * size; j < min(n, i/size*size+size); j++ {
		if a.context != nil && !slices.Equal(a.context[i], a.context[j]) {
			continue
		}
		length := 0.0
		for k := range d {
			off := (a.x[i][k] - alpha*a.data[j][k]) / sigma
			length += off * off
		}
		w := math.Exp(-length / 2)
		if a.weight != nil {
			w *= a.weight[j]
		}
		sum += w
		for k := range d {
			mean[k] += w * a.data[j][k]
		}
	}
	for k := range mean {
		mean[k] /= sum
	}
	return mean
}

func grid(n, d int) [][]float64 {
	rows := make([][]float64, n)
	for i := range rows {
		for k := range d {
			rows[i] = append(rows[i], 0.4*math.Sin(float64(3*i+5*k*k+1))/math.Sqrt(float64(d)))
		}
	}
	return rows
}

// The gradient is that of the mean target of all events that could have come to x_t, in groups,
// by their weights, among those of one context; and the loss's value is that of own targets.
func TestPool(t *testing.T) {
	classes := [][]float64{{1, 0}, {0, 1}, {1, 0}, {1, 0}, {0, 1}, {0, 1}, {1, 0}}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for name, c := range map[string]struct {
			a    asked
			pool loss.Pool
		}{
			"all":      {asked{data: grid(7, 2)}, 0},
			"groups":   {asked{data: grid(7, 2)}, 3},
			"many":     {asked{data: grid(5, 20)}, 5},
			"weights":  {asked{data: grid(7, 2), weight: []float64{1, 0.5, 2, 1e-20, 1, 3, 1}}, 0},
			"contexts": {asked{data: grid(7, 2), context: classes}, 0},
		} {
			a := c.a
			a.training = true
			a.ask(t, backend, func(f field.Field) loss.Loss {
				return loss.FM{Field: f, Pool: c.pool, Reduction: loss.Sum}
			})
			size := int(c.pool)
			if size == 0 {
				size = len(a.data)
			}
			differ := false
			for i := range a.want {
				at := a.t[i][0]
				mean := a.mean(i, size, 1-at, at)
				for k, m := range mean {
					if a.weight != nil && a.weight[i] < 0.1 {
						continue // what counts nothing has no gradient
					}
					want := (a.x[i][k] - m) / at
					if got := a.want[i][k]; math.Abs(got-want) > 1e-4*(1+math.Abs(want)) {
						t.Errorf("%s: the target %d of event %d at t = %.3f is %.5f, not %.5f", name, k, i, at, got, want)
					}
					own := (a.x[i][k] - a.data[i][k]) / at
					differ = differ || math.Abs(own-want) > 0.1
				}
			}
			if !differ {
				t.Errorf("%s: no target differs from the event's own", name)
			}
			own := a
			own.ask(t, backend, func(f field.Field) loss.Loss {
				return loss.FM{Field: f, Pool: loss.Own, Reduction: loss.Sum}
			})
			gomlxtest.Near(t, name+", value", []float64{a.value}, []float64{own.value}, 1e-4)
		}
	})
}

// Sharing changes no gradient in the mean: what a target is multiplied by, a function of x_t and t,
// sees the same. Of ten means none is further from 0 than 4.5 standard errors: a false alarm in
// 15,000 seeds.
func TestPoolIsUnbiased(t *testing.T) {
	backend := gomlxtest.Go(t)
	const copies = 20_000
	few := [][]float64{{-1, 0.2}, {-0.8, 0}, {0.5, -0.4}, {1.4, 1}}
	heavy := []float64{1, 2.5, 0.3, 0.7}
	a := asked{training: true}
	for range copies {
		a.data, a.weight = append(a.data, few...), append(a.weight, heavy...)
	}
	a.ask(t, backend, func(f field.Field) loss.Loss {
		return loss.FM{Field: f, Pool: loss.Pool(len(few)), Reduction: loss.Sum, Times: loss.Times{Law: loss.Power{}}}
	})
	var own, shared float64
	for name, g := range map[string]func(x []float64, t float64) float64{
		"1":       func([]float64, float64) float64 { return 1 },
		"x":       func(x []float64, _ float64) float64 { return x[0] },
		"xy":      func(x []float64, _ float64) float64 { return x[0] * x[1] },
		"sin 3x":  func(x []float64, _ float64) float64 { return math.Sin(3 * x[0]) },
		"t cos y": func(x []float64, t float64) float64 { return t * math.Cos(x[1]) },
	} {
		for k := range 2 {
			var sum, squares float64
			for i := range a.want {
				at := a.t[i][0]
				self := (a.x[i][k] - a.data[i][k]) / at
				own, shared = own+a.weight[i]*self*self, shared+a.weight[i]*a.want[i][k]*a.want[i][k]
				d := a.weight[i] * g(a.x[i], at) * (a.want[i][k] - self)
				sum, squares = sum+d, squares+d*d
			}
			if z := sum / math.Sqrt(squares); math.Abs(z) > 4.5 {
				t.Errorf("%s times the target %d differs by %.1f standard errors from what own targets give", name, k, z)
			}
		}
	}
	if !(shared < 0.9*own) {
		t.Errorf("the mean square of the targets is %.4g, and that of own ones %.4g: expected a tenth less at least", shared, own)
	}
}

// Every prediction's target is shared in diffusion.
func TestPoolOfDiffusion(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		s := schedule.Cosine{}
		for _, p := range []schedule.Prediction{schedule.Eps, schedule.X0, schedule.V} {
			a := asked{data: grid(6, 2), training: true}
			a.ask(t, backend, func(f field.Field) loss.Loss {
				return loss.Denoising{Field: f, Prediction: p, Schedule: s, Reduction: loss.Sum, Times: loss.Times{Law: loss.Table{Edges: []float64{0, 0.3, 0.9, 1}, Weights: []float64{0, 1, 0}}}}
			})
			for i := range a.want {
				alpha, sigma := levels(t, backend, s, a.t[i][0])
				mean := a.mean(i, 6, alpha, sigma)
				for k, m := range mean {
					eps := (a.x[i][k] - alpha*m) / sigma
					want := map[schedule.Prediction]float64{schedule.Eps: eps, schedule.X0: m, schedule.V: alpha*eps - sigma*m}[p]
					if got := a.want[i][k]; math.Abs(got-want) > 1e-4*(1+math.Abs(want)) {
						t.Errorf("%v: the target %d of event %d is %.5f, not %.5f", p, k, i, got, want)
					}
				}
			}
		}
	})
}

func levels(t *testing.T, backend compute.Backend, s schedule.Schedule, at float64) (alpha, sigma float64) {
	t.Helper()
	computation, err := nami.NewComputation(backend, nil, func(_ *model.Scope, in []*Node) []*Node {
		return []*Node{s.Alpha(in[0]), s.Sigma(in[0])}
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := computation.Call(tensors.FromScalar(at))
	if err != nil {
		t.Fatal(err)
	}
	return gomlxtest.Floats(t, out[0], nil)[0], gomlxtest.Floats(t, out[1], nil)[0]
}

// Events keep their own targets where sharing them would be wrong, or is of no use.
func TestPoolOfOwn(t *testing.T) {
	backend := gomlxtest.Go(t)
	box, err := distribution.UniformBox(-1, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		a    asked
		base distribution.Base
		path path.Path
		pool loss.Pool
	}{
		"asked for":        {asked{data: grid(6, 2), training: true}, nil, nil, loss.Own},
		"evaluation":       {asked{data: grid(6, 2)}, nil, nil, 0},
		"a given source":   {asked{data: grid(6, 2), training: true, given: true}, nil, nil, 0},
		"learned events":   {asked{data: grid(6, 2), training: true, learned: true}, nil, nil, 0},
		"another base":     {asked{data: grid(6, 2), training: true}, box, nil, 0},
		"a curved path":    {asked{data: grid(6, 2), training: true}, nil, curved{}, 0},
		"negative weights": {asked{data: grid(6, 2), training: true, weight: []float64{1, 1, -0.5, 1, 1, 1}}, nil, nil, 0},
		"other contexts":   {asked{data: grid(6, 2), training: true, context: grid(6, 1)}, nil, nil, 0},
	} {
		a := c.a
		a.ask(t, backend, func(f field.Field) loss.Loss {
			return loss.FM{Field: f, Base: c.base, Path: c.path, Pool: c.pool, Reduction: loss.Sum}
		})
		for i := range a.want {
			at := a.t[i][0]
			for k, x := range a.data[i] {
				want := (a.x[i][k] - x) / at
				if c.path != nil {
					want *= 2
				}
				if got := a.want[i][k]; math.Abs(got-want) > 1e-4*(1+math.Abs(want)) {
					t.Errorf("%s: the target %d of event %d is %.5f, not its own %.5f", name, k, i, got, want)
				}
			}
		}
	}
	if err := loss.Pool(-1).Validate(); err == nil || !strings.Contains(err.Error(), "-1: give the number of events that share") {
		t.Errorf("a pool of -1: %v", err)
	}
}

// curved goes from data to noise in t², as a path of a user's that doesn't say that it is affine.
type curved struct{}

func (curved) Point(target, source, t *Node) *Node {
	w := shape.Lift(Square(t), target)
	return Add(Mul(OneMinus(w), target), Mul(w, source))
}

func (curved) Velocity(target, source, t *Node) *Node {
	return Mul(shape.Lift(MulScalar(t, 2), target), Sub(source, target))
}

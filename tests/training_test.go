package tests

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/coupling"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/train"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// normals are n events of two values, N(mean, std²) each.
func normals(seed uint64, n int, mean, std float64) *tensors.Tensor {
	random := rand.New(rand.NewPCG(seed, 0))
	flat := make([]float32, 2*n)
	for i := range flat {
		flat[i] = float32(mean + std*random.NormFloat64())
	}
	return tensors.FromFlatDataAndDimensions(flat, n, 2)
}

// fitted trains a small network and returns the mean of its last 50 losses.
func fitted(t *testing.T, backend compute.Backend, loss loss.Loss, events data.Events, options ...train.Option) (*model.Store, float64) {
	t.Helper()
	store := model.NewStore()
	options = append([]train.Option{train.Steps(400), train.BatchSize(64), train.LearningRate(5e-3)}, options...)
	history, err := train.Fit(context.Background(), backend, store, loss, events, options...)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, l := range history.Loss[len(history.Loss)-50:] {
		sum += l / 50
	}
	return store, sum
}

var small = field.MLP{EventShape: []int{2}, Hidden: []int{16, 16}}

// Optimal pairs of noise and shifted noise are almost translations, so their loss is a
// small part of that of independent pairs, whose expectation is 2 at the least.
func TestCoupledTraining(t *testing.T) {
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		x := data.Events{X: normals(1, 512, 3, 1)}
		_, independent := fitted(t, backend, loss.FM{Field: small}, x, train.Couple(coupling.Independent{}))
		_, optimal := fitted(t, backend, loss.FM{Field: small}, x, train.Couple(coupling.OptimalTransport{}))
		if independent < 0.8 || optimal > 0.5*independent {
			t.Errorf("the loss is %.3f with optimal pairs and %.3f with independent ones", optimal, independent)
		}
	})
}

// Fit trains with shared targets: the loss that it reports before the weights differ is that of own
// ones, the weights then go another way, and where the source is given nothing changes.
func TestSharedTargetsInTraining(t *testing.T) {
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		x := data.Events{X: normals(1, 64, 2, 1)}
		losses := func(pool loss.Pool, options ...train.Option) []float64 {
			options = append([]train.Option{train.Steps(10), train.BatchSize(64), train.Seed(1)}, options...)
			history, err := train.Fit(t.Context(), backend, model.NewStore(), loss.FM{Field: small, Pool: pool}, x, options...)
			if err != nil {
				t.Fatal(err)
			}
			return history.Loss
		}
		shared, own := losses(0), losses(loss.Own)
		if math.Abs(shared[0]/own[0]-1) > 1e-5 || shared[9] == own[9] {
			t.Errorf("with shared targets the losses are %v, with own ones %v: expected the same at first, and then others", shared, own)
		}
		coupled := train.Couple(coupling.Independent{})
		if shared, own := losses(0, coupled), losses(loss.Own, coupled); !slices.Equal(shared, own) {
			t.Errorf("with a given source the losses are %v by default and %v with own targets", shared, own)
		}
	})
}

// A flow from one distribution to another: samples of the source's end at the target's.
func TestTrainingFromASource(t *testing.T) {
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		store, _ := fitted(t, backend, loss.FM{Field: small}, data.Events{X: normals(1, 512, 2, 0.5)}, train.StartFrom(normals(2, 300, -2, 0.5)), train.Couple(coupling.OptimalTransport{}))
		flow := nami.FlowMatching{Field: small, Base: distribution.NewStandardNormal(2), Solver: solver.RK4(10)}
		process, err := flow.Bind(backend, store, nil)
		if err != nil {
			t.Fatal(err)
		}
		samples, err := process.SampleFrom(context.Background(), normals(3, 200, -2, 0.5))
		if err != nil {
			t.Fatal(err)
		}
		mean := 0.0
		for _, v := range toFloats(samples) {
			mean += v / 400
		}
		if math.Abs(mean-2) > 0.3 {
			t.Errorf("samples from -2 ended at %.2f on average, expected 2", mean)
		}
	})
}

// Maximum likelihood through the solve reaches the entropy of the data, that of
// N(1, 0.5²) in each of two values, which no model's mean loss is below.
func TestMaximumLikelihood(t *testing.T) {
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		flow := nami.FlowMatching{
			Field: field.MLP{EventShape: []int{2}, Hidden: []int{8}}, Base: distribution.NewStandardNormal(2), Solver: solver.Heun(2),
		}
		_, nll := fitted(t, backend, loss.NLL{Flow: flow, Estimator: divergence.Exact{}}, data.Events{X: normals(1, 512, 1, 0.5)}, train.Steps(250), train.LearningRate(2e-2))
		entropy := 2 * (math.Log(0.5) + 0.5*math.Log(2*math.Pi*math.E))
		if math.Abs(nll-entropy) > 0.15 {
			t.Errorf("the loss is %.3f, expected the entropy %.3f", nll, entropy)
		}
	})
}

// What stands in the padding changes no bit of training.
func TestMaskedTraining(t *testing.T) {
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		loss := loss.FM{Field: field.MLP{EventShape: []int{3, 2}, Hidden: []int{8}}}
		mask := make([]float32, 32*3)
		random := rand.New(rand.NewPCG(1, 1))
		var losses [2][]float64
		for run, padding := range []float32{0, 1e6} {
			flat := make([]float32, 32*3*2)
			for i := range 32 * 3 {
				if mask[i] = 1; i%3 >= 1+(i/3)%3 {
					mask[i] = 0
				}
				for j := range 2 {
					flat[2*i+j] = float32(math.Sin(float64(5*i + j)))
					if mask[i] == 0 {
						flat[2*i+j] = padding * random.Float32()
					}
				}
			}
			history, err := train.Fit(context.Background(), backend, model.NewStore(), loss, data.Events{
				X: tensors.FromFlatDataAndDimensions(flat, 32, 3, 2), Mask: tensors.FromFlatDataAndDimensions(slices.Clone(mask), 32, 3),
			}, train.Steps(20), train.BatchSize(16))
			if err != nil {
				t.Fatal(err)
			}
			losses[run] = history.Loss
		}
		if !slices.Equal(losses[0], losses[1]) {
			t.Errorf("the losses are %v with zeros in the padding and %v with other numbers", losses[0], losses[1])
		}
	})
}

// A coupled run that was stopped goes on as if it never had been.
func TestCoupledResume(t *testing.T) {
	backend := all.Go(t)
	run := func(folder string, steps ...int) (losses []float64) {
		for _, n := range steps {
			history, err := train.Fit(context.Background(), backend, model.NewStore(), loss.FM{Field: small}, data.Events{X: normals(1, 128, 1, 1)},
				train.Steps(n), train.BatchSize(32), train.Couple(coupling.OptimalTransport{}),
				train.Schedule(train.Constant{}), train.Checkpoint(folder))
			if err != nil {
				t.Fatal(err)
			}
			losses = history.Loss
		}
		return losses
	}
	if whole, parts := run(t.TempDir(), 30), run(t.TempDir(), 11, 30); !slices.Equal(whole, parts) {
		t.Errorf("the losses are %v at once and %v resumed", whole, parts)
	}
}

func TestBadTrainingInputs(t *testing.T) {
	backend := all.Go(t)
	masked := loss.FM{Field: field.MLP{EventShape: []int{3, 2}, Hidden: []int{4}}}
	points := normals(1, 64, 0, 1)
	for want, c := range map[string]struct {
		loss   loss.Loss
		events data.Events
		with   train.Option
	}{
		"a mask [n, objects]": {
			masked, data.Events{X: tensors.FromFlatDataAndDimensions(make([]float32, 8*3*2), 8, 3, 2), Mask: tensors.FromFlatDataAndDimensions(make([]float32, 8*2), 8, 2)}, train.Steps(1),
		},
		"at least one batch of them":                   {loss.FM{Field: small}, data.Events{X: points}, train.StartFrom(normals(1, 4, 0, 1))},
		"the coupling tests.lost paired 0 of 8 events": {loss.FM{Field: small}, data.Events{X: points}, train.Couple(lost{})},
		"across conditions":                            {loss.FM{Field: small}, data.Events{X: points, Context: normals(2, 64, 0, 1)}, train.Couple(coupling.OptimalTransport{})},
		"the coupling tests.burning: Pair panicked: fire (at tests/training_test.go:": {loss.FM{Field: small}, data.Events{X: points}, train.Couple(burning{})},
	} {
		_, err := train.Fit(context.Background(), backend, model.NewStore(), c.loss, c.events, c.with, train.BatchSize(8), train.Steps(1))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, expected it to say %q", err, want)
		}
	}
}

// lost is a coupling that pairs nothing.
type lost struct{}

func (lost) Pair(*rand.Rand, *tensors.Tensor, *tensors.Tensor, *tensors.Tensor) ([]int, error) {
	return nil, nil
}

// burning is a coupling that panics.
type burning struct{}

func (burning) Pair(*rand.Rand, *tensors.Tensor, *tensors.Tensor, *tensors.Tensor) ([]int, error) {
	panic("fire")
}

// Events of a heavy-tailed column, a fraction and an angle are learned in the model's units and
// judged in the data's, where their density is known: the mean of log p over new events is
// within 0.15 nats of minus the data's entropy, which no model exceeds on average, for
// independent pairs and for optimal ones.
func TestTrainingInUnits(t *testing.T) {
	const n = 2048
	draw := func(seed uint64) (events *tensors.Tensor, logTruth float64) {
		random := rand.New(rand.NewPCG(seed, 0))
		flat := make([]float32, 0, 3*n)
		for range n {
			z, u, phi := random.NormFloat64(), random.NormFloat64(), random.NormFloat64()
			energy := math.Exp(9 + 1.5*z)
			fraction := 1 / (1 + math.Exp(-0.7*u))
			angle := math.Mod(3+0.8*phi+4*math.Pi, 2*math.Pi) // across the end of the period
			flat = append(flat, float32(energy), float32(fraction), float32(angle))
			normal := func(z float64) float64 { return -z*z/2 - math.Log(2*math.Pi)/2 }
			wrapped := 0.0
			for k := -2; k <= 2; k++ {
				wrapped += math.Exp(normal((angle-3+2*math.Pi*float64(k))/0.8)) / 0.8
			}
			logTruth += (normal(z) - math.Log(1.5*energy) + normal(u) - math.Log(0.7*fraction*(1-fraction)) + math.Log(wrapped)) / n
		}
		return tensors.FromFlatDataAndDimensions(flat, n, 3), logTruth
	}
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		events, _ := draw(1)
		units, err := transform.Fit(backend, transform.Chain{
			transform.Columns{
				{Of: []int{0}, By: transform.Logarithm{}},
				{Of: []int{1}, By: transform.Logit{}},
				{Of: []int{2}, By: transform.Circle{}},
			},
			transform.Standardize{},
		}, transform.Data{X: events})
		if err != nil {
			t.Fatal(err)
		}
		velocity := field.MLP{EventShape: []int{4}, Hidden: []int{32, 32}}
		flow := nami.FlowMatching{
			Field: velocity, Base: distribution.NewStandardNormal(4), Solver: solver.RK4(10), Transform: units,
		}
		learned := loss.Transformed{Of: loss.FM{Field: velocity}, Transform: units}
		for name, pairs := range map[string]coupling.Coupling{"independent": coupling.Independent{}, "optimal": coupling.OptimalTransport{}} {
			if (name == "optimal") != (backend.Name() == "xla") {
				continue // one of them on each
			}
			store, _ := fitted(t, backend, learned, data.Events{X: events}, train.Steps(600), train.Couple(pairs))
			process, err := flow.Bind(backend, store, nil)
			if err != nil {
				t.Fatal(err)
			}
			held, logTruth := draw(2)
			logProb, err := process.LogProb(context.Background(), held, divergence.Exact{})
			if err != nil {
				t.Fatal(err)
			}
			mean := 0.0
			for _, v := range toFloats(logProb) {
				mean += v / n
			}
			if math.Abs(mean-logTruth) > 0.15 {
				t.Errorf("%s pairs: log p is %.3f on average, that of the truth %.3f", name, mean, logTruth)
			}
			plain := flow
			plain.Transform = nil
			if _, err := plain.Bind(backend, store, nil); err == nil || !strings.Contains(err.Error(), "the model has no transform, and was trained with transform.Chain") {
				t.Errorf("bound without the transform: %v", err)
			}
		}
	})
}

package modelfile

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/embedding"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/interpolant"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var mlp = field.MLP{EventShape: []int{2}, Hidden: []int{3, 4}, Activation: activation.TypeTanh}

// examples are parts of each of nami's types, those with defaults among them.
var examples = map[string][]any{
	"fields": {
		mlp,
		field.MLP{EventShape: []int{2}, Hidden: []int{3}, TimeFeatures: 4},
		field.MLP{EventShape: []int{2}},
		field.Residual{EventShape: []int{2}, Frequencies: 4},
		field.DeepSet{EventShape: []int{3, 2}, Layers: 2},
		field.Transformer{EventShape: []int{3, 2}, Ordered: true},
		field.DiT{EventShape: []int{4, 4, 1}, Patch: 4, ContextDim: 3},
		field.UNet{EventShape: []int{8, 8, 1}, Multiples: []int{1, 2, 2}, Attention: []int{2}},
		field.Embedded{Field: mlp, Embedding: embedding.MLP{In: 3, Values: 2, Hidden: []int{4}}},
		field.Embedded{Field: mlp, Embedding: embedding.Classes{Count: 3, Values: 2}},
		field.Embedded{Field: mlp, Embedding: embedding.Image{Height: 4, Width: 5, Channels: 1, Values: 2}},
		field.Embedded{Field: mlp, Embedding: embedding.Set{Count: 4, Features: 2, Varying: true, Values: 2}},
		field.Embedded{Field: mlp, Embedding: embedding.Parts{{In: 2}, {Of: embedding.Series{Length: 5, Channels: 1, Values: 2}, Optional: true}}},
		field.Scoped{Scope: "v", Field: mlp},
		field.Guided{Field: mlp, Scale: 2, To: 0.7, Negative: []float64{1, 2}},
		field.Guided{Field: field.Scoped{Scope: "v", Field: mlp}, Scale: 2, Weak: mlp, Rescale: 0.7},
		field.Unconditional{Field: mlp, ContextShape: []int{2}},
		schedule.Preconditioned{Field: mlp, Schedule: schedule.EDM{}},
		schedule.Converted{Field: mlp, Schedule: schedule.VP{}, From: schedule.Eps, To: schedule.Velocity},
		schedule.Rescheduled{Field: mlp, From: schedule.VP{}, Prediction: schedule.X0, To: schedule.Linear{}, As: schedule.Velocity},
		interpolant.Bridge{Velocity: mlp, Push: mlp, Sigma: 0.5},
		interpolant.ScoreFromNoise{Noise: mlp, Gamma: interpolant.Brownian{}},
		interpolant.DriftFromVelocityScore{Velocity: mlp, Score: mlp, Gamma: interpolant.ScaledBrownian{Scale: 2, Eps: 1e-3}},
		interpolant.MirrorVelocityFromScore{Score: mlp, Gamma: interpolant.Zero{}},
	},
	"embeddings": {
		embedding.MLP{In: 3, Values: 2},
		embedding.MLP{In: 3, Values: 2, Hidden: []int{4, 5}},
		embedding.Classes{Count: 3, Values: 2},
		embedding.Series{Length: 5, Channels: 1, Values: 2},
		embedding.Image{Height: 4, Width: 5, Channels: 1, Values: 2, Filters: 8},
		embedding.Set{Count: 4, Features: 2, Varying: true, Values: 2},
		embedding.Parts{{In: 2}, {Of: embedding.Series{Length: 5, Channels: 1, Values: 2}, Optional: true}},
	},
	"gammas":    {interpolant.Brownian{}, interpolant.Brownian{Eps: 0.01}, interpolant.ScaledBrownian{Scale: 2}, interpolant.Zero{}},
	"schedules": {schedule.VP{}, schedule.VP{BetaMin: 0.2, BetaMax: 10}, schedule.VE{}, schedule.EDM{}, schedule.EDM{SigmaMin: 0.1, SigmaMax: 3, Rho: 5}, schedule.Cosine{}, schedule.Linear{}},
	"paths":     {path.Linear{}, path.Cosine{}, path.Scheduled{Schedule: schedule.VP{}}},
	"bases": {
		distribution.NewStandardNormal(2),
		must(distribution.Isotropic(1, 1e7, 2)),
		must(distribution.NewDiagonalNormal(tensors.FromValue([]float64{0.1, 1. / 3}), tensors.FromValue([]float64{1e-30, 2}), 1)),
		must(distribution.UniformBox(-1, 1, 2)),
		must(distribution.NewUniform(tensors.FromValue([]float64{0, -1}), tensors.FromValue([]float64{1, 1. / 3}), 1)),
		must(distribution.NewGaussianMixture(tensors.FromValue([]float64{1, 2, 4}), tensors.FromValue([][]float64{{0, 0}, {1, 2}, {3, 4}}), tensors.FromValue([][]float64{{1, 1}, {0.5, 2}, {3, 1}}), 1)),
		distribution.LearnedNormal{Event: []int{2}},
	},
	"batches": {
		distribution.NewStandardNormal(2).Expand(3),
		must(distribution.Isotropic(1, 2, 2)).Expand(3),
		must(distribution.NewDiagonalNormal(tensors.FromValue([][]float64{{0, 1}, {2, 3}}), tensors.FromValue([][]float64{{1, 1}, {2, 3}}), 1)).Expand(3, 2),
		must(distribution.UniformBox(-1, 1, 2)).Expand(3),
		must(distribution.NewGaussianMixture(tensors.FromValue([]float64{1, 2}), tensors.FromValue([][]float64{{0, 0}, {1, 2}}), tensors.FromValue([][]float64{{1, 1}, {0.5, 2}}), 1)).Expand(3),
	},
	"methods": {
		solver.EulerTableau, solver.MidpointTableau, solver.HeunTableau, solver.RK4Tableau, solver.Bosh3Tableau, solver.Dopri5Tableau, solver.Tsit5Tableau,
		solver.LMS(3, 1).Method, solver.AdamsPEC(3, 1).Method, solver.DPM2(1).Method, solver.DPMSolverPP2S(1).Method, solver.DPMSolverPP2M(1).Method, solver.DPMSolverPP3MSDE(1).Method,
		solver.DEIS(3, 1).Method, solver.UniPC(2, 1).Method, solver.UniPCB1(3, 1).Method, solver.DDIM(0, 1).Method, solver.DDIM(0.5, 1).Method,
		solver.Churn{},
		solver.Churn{Churn: 40, Min: 0.05, Max: 50, Noise: 1.003},
		solver.EulerMaruyama(1).Method, solver.StochasticHeun(1).Method, solver.SRA1(1).Method, solver.Milstein(1).Method,
	},
	"grids": {solver.Even{}, solver.Power{}, solver.Power{P: 3}, solver.Shifted{}, solver.Shifted{S: 2}, solver.Logit{}, solver.Logit{K: 2}, solver.Angle{}, solver.Angle{S: 1}, solver.Karras{}, solver.LogSNR{}, solver.Times{1, 0.3, 0}},
	"transforms": {
		transform.Standardize{Mean: []float64{1, 2}, Std: []float64{3, 1. / 3}},
		transform.Standardize{PerValue: true, Constant: 1},
		transform.Whiten{Mean: []float64{1, 2}, Matrix: [][]float64{{1, 0.5}, {0.25, 2}}},
		transform.Logarithm{Shift: 2},
		transform.Logit{},
		transform.Logit{Low: -3, High: 5},
		transform.Probit{},
		transform.Probit{Low: -3, High: 5},
		transform.Asinh{},
		transform.Asinh{Scale: 3},
		transform.Circle{},
		transform.Circle{Period: 360, Low: -180},
		transform.Dequantize{},
		transform.Dequantize{Step: 1. / 255},
		transform.Chain{transform.Logarithm{Shift: 3}, transform.Standardize{Mean: []float64{0}, Std: []float64{2}}},
		transform.Chain{},
		transform.Columns{{Of: []int{1}, By: transform.Circle{Period: 360}}, {Of: []int{0}, By: transform.Asinh{Scale: 2}}},
		transform.Columns(nil),
	},
	"models": {
		nami.FlowMatching{Field: mlp, Base: distribution.NewStandardNormal(2), Solver: adaptive(), Path: path.Cosine{}},
		nami.Diffusion{Field: mlp, Prediction: schedule.Score, Schedule: schedule.EDM{}, Solver: solver.Heun(18), Base: distribution.NewStandardNormal(2)},
	},
}

// adaptive is a solver with all that one can have.
func adaptive() solver.Solver {
	s := solver.Tsit5(1e-3, 1e-6)
	s.Control, s.MaxSteps, s.FirstStep, s.Shared, s.Weights = solver.Integral(), 77, 0.01, true, []float64{1, 0}
	return s
}

// roundTrip is a part that was described and built again.
func roundTrip(t *testing.T, part any) any {
	t.Helper()
	tree, err := describe("part", part)
	if err != nil {
		t.Fatalf("%T: %v", part, err)
	}
	text, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	if tree, err = parse(text); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	back, err := build[any]("part", tree, 0)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	again, err := describe("part", back)
	if err != nil {
		t.Fatal(err)
	}
	if second, _ := json.Marshal(again); string(second) != string(text) {
		t.Errorf("%T: it is described as %s, and then as %s", part, text, second)
	}
	return back
}

// Every type of nami's is described, and comes back as it was, its defaults written out.
func TestEveryPart(t *testing.T) {
	seen := map[reflect.Type]bool{}
	for _, parts := range examples {
		for _, part := range parts {
			seen[reflect.TypeOf(part)] = true
			back := roundTrip(t, part)
			if reflect.TypeOf(back) != reflect.TypeOf(part) {
				t.Errorf("%T comes back as %T", part, back)
			}
			want, got := part, back
			if _, named := part.(fmt.Stringer); !named {
				if full, ok := withDefaults(reflect.ValueOf(part)); ok {
					want = full.Interface()
				}
			}
			if fmt.Sprint(want) != fmt.Sprint(got) {
				t.Errorf("%v comes back as %v", want, got)
			}
		}
	}
	for name, value := range ours {
		if !seen[reflect.TypeOf(value)] {
			t.Errorf("there is no example of %s", name)
		}
	}
}

// What a distribution draws, and its density, are the same to the bit.
func TestDistributionsComeBack(t *testing.T) {
	backend := gomlxtest.Go(t)
	for _, part := range append(examples["bases"], examples["batches"]...) {
		before, ok := part.(distribution.Distribution)
		if !ok {
			continue
		}
		after := roundTrip(t, part).(distribution.Distribution)
		a, errA := distribution.Draw(backend, before, 5, dtypes.Float64, 4)
		b, errB := distribution.Draw(backend, after, 5, dtypes.Float64, 4)
		if x, y := gomlxtest.Floats(t, a, errA), gomlxtest.Floats(t, b, errB); fmt.Sprint(x) != fmt.Sprint(y) {
			t.Errorf("%v draws %v, and %v before", after, y, x)
		}
		p, errP := distribution.Density(backend, before, a)
		q, errQ := distribution.Density(backend, after, a)
		if x, y := gomlxtest.Floats(t, p, errP), gomlxtest.Floats(t, q, errQ); fmt.Sprint(x) != fmt.Sprint(y) {
			t.Errorf("%v has the densities %v, and %v before", after, y, x)
		}
	}
}

// A transform does the same, to the bit.
func TestTransformsComeBack(t *testing.T) {
	backend := gomlxtest.Go(t)
	x := tensors.FromValue([][]float64{{0.25, 0.5}, {0.75, 0.125}})
	for _, part := range examples["transforms"] {
		values := func(f transform.Transform) []float64 {
			store := model.NewStore()
			if err := store.SetRNGStateFromSeed(1); err != nil {
				t.Fatal(err)
			}
			out, err := model.CallOnce(backend, store, func(scope *model.Scope, x *graph.Node) *graph.Node {
				y, logDet := f.Forward(scope, x)
				return graph.Add(graph.ReduceAllSum(y), graph.MulScalar(graph.ReduceAllSum(logDet), 3))
			}, x)
			return gomlxtest.Floats(t, out, err)
		}
		before := part.(transform.Transform)
		if _, err := before.ModelShape([]int{2}); err != nil {
			continue // to be fitted
		}
		if a, b := values(before), values(roundTrip(t, part).(transform.Transform)); fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("%v gives %v, and %v before", part, b, a)
		}
	}
}

// Grids place the same nodes.
func TestGridsComeBack(t *testing.T) {
	for _, part := range examples["grids"] {
		nodes := func(g solver.Grid) string {
			times, err := g.Nodes(2, 1, 0, solver.Clock{})
			return fmt.Sprint(times, err)
		}
		if a, b := nodes(part.(solver.Grid)), nodes(roundTrip(t, part).(solver.Grid)); a != b {
			t.Errorf("%v places the nodes %s, and %s before", part, b, a)
		}
	}
}

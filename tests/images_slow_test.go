//go:build slow

package tests

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/metric"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/toy"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// Networks for images learn digits better than what doesn't know that pixels have neighbours: the
// loss of the velocity on 898 images that they didn't see is below that of an MLP, which had seven
// times as many steps and more, and that of the best linear predictor, which knows the mean and the
// covariance of those images; and their samples are harder to tell from those images than those of
// a normal law of that mean and covariance. (On XLA alone: each network takes up to a minute of processor time there.)
func TestTrainImages(t *testing.T) {
	backend := all.XLA(t)
	seen, held := halves(t)
	linear, normal := asNormal(t, held)
	// told is how often the nearest other one, of samples and images together, is of the same kind:
	// half of the times where they can't be told apart.
	told := func(samples *tensors.Tensor) (share float64) {
		x, y := tensors.MustCopyFlatData[float32](samples), tensors.MustCopyFlatData[float32](held)
		n, both := len(x)/64, (len(x)+len(y))/64
		nearest, err := metric.NearestOther(tensors.FromFlatDataAndDimensions(append(x, y...), both, 64))
		if err != nil {
			t.Fatal(err)
		}
		for i, j := range nearest.Index {
			if (i < n) == (j < n) {
				share += 1 / float64(both)
			}
		}
		return share
	}
	t.Logf("the best linear predictor's loss is %.3f; told from the held half: %.2f of the other half, %.2f of a normal law's", linear, told(seen), told(normal))
	figures := func(name string, f field.Field, steps int) (value, share float64) {
		store := model.NewStore()
		fm := loss.FM{Field: f, Times: loss.Times{Law: loss.Uniform{}}} // as the linear predictor's loss is meant
		if _, err := train.Fit(t.Context(), backend, store, fm, data.Events{X: seen}, train.Steps(steps), train.BatchSize(64), train.Seed(1)); err != nil {
			t.Fatal(err)
		}
		evaluator, err := train.NewEvaluator(backend, store, fm, train.Seed(5))
		if err != nil {
			t.Fatal(err)
		}
		const draws = 10
		for range draws { // each draws other times and noise
			v, err := evaluator.Evaluate(t.Context(), data.Events{X: held})
			if err != nil {
				t.Fatal(err)
			}
			value += v / draws
		}
		flow := nami.FlowMatching{Field: f, Base: distribution.NewStandardNormal(8, 8, 1), Solver: solver.Heun(16)}
		process, err := flow.Bind(backend, store, nil, nami.Seed(2))
		if err != nil {
			t.Fatal(err)
		}
		samples, err := process.Sample(t.Context(), held.Shape().Dimensions[0])
		if err != nil {
			t.Fatal(err)
		}
		share = told(samples)
		t.Logf("%s: loss %.4f, told %.3f", name, value, share)
		return value, share
	}
	images := []int{8, 8, 1}
	mlp, _ := figures("MLP", field.MLP{EventShape: images, Hidden: []int{256, 256, 256}, TimeFeatures: 32}, 3_000)
	for _, c := range []struct {
		name  string
		field field.Field
		steps int
		most  float64 // the loss
		share float64 // of the MLP's loss, at most
	}{
		{"UNet", field.UNet{EventShape: images, Width: 16, Blocks: 1}, 800, 0.50, 0.95},
		{"DiT", field.DiT{EventShape: images, Blocks: 2}, 1500, 0.53, 0.99},
	} {
		v, share := figures(c.name, c.field, c.steps)
		if !(v < c.most && v < c.share*mlp && v < 0.9*linear) {
			t.Errorf("%s: the loss is %.4f, expected less than %.2f, %.2f of the MLP's %.4f and 0.9 of the best linear predictor's %.4f", c.name, v, c.most, c.share, mlp, linear)
		}
		if most := told(normal) - 0.05; !(share < most) {
			t.Errorf("%s: %.3f of the samples and images are told apart, expected less than %.3f", c.name, share, most)
		}
	}
}

// halves are every other one of the digits, and the rest.
func halves(t *testing.T) (even, odd *tensors.Tensor) {
	t.Helper()
	set, err := toy.Digits()
	if err != nil {
		t.Fatal(err)
	}
	pixels := tensors.MustCopyFlatData[float32](set.Images)
	var parts [2][]float32
	for i := range set.Labels {
		parts[i%2] = append(parts[i%2], pixels[64*i:64*i+64]...)
	}
	return tensors.FromFlatDataAndDimensions(parts[0], len(parts[0])/64, 8, 8, 1), tensors.FromFlatDataAndDimensions(parts[1], len(parts[1])/64, 8, 8, 1)
}

// asNormal is what is known of images by their mean and covariance alone: the loss of the best
// linear predictor of the straight path's velocity, and as many draws of the normal law. In a
// direction in which the images have the variance λ, the velocity has the variance
// λ/((1-t)²λ + t²) given x_t, whose integral over t is √λ·π/2.
func asNormal(t *testing.T, images *tensors.Tensor) (loss float64, draws *tensors.Tensor) {
	t.Helper()
	x := toFloats(images)
	n := len(x) / 64
	rows := mat.NewDense(n, 64, x)
	var covariance mat.SymDense
	stat.CovarianceMatrix(&covariance, rows, nil)
	var eigen mat.EigenSym
	if !eigen.Factorize(&covariance, true) {
		t.Fatal("the covariance has no eigenvalues")
	}
	var axes mat.Dense
	eigen.VectorsTo(&axes)
	values := eigen.Values(nil)
	for i, v := range values {
		values[i] = math.Sqrt(max(v, 0))
		loss += values[i] * math.Pi / 2 / 64
	}
	random := rand.New(rand.NewPCG(3, 4))
	out := make([]float32, 64*n)
	for i := range n {
		z := mat.NewVecDense(64, nil)
		for k := range 64 {
			z.SetVec(k, values[k]*random.NormFloat64())
		}
		var v mat.VecDense
		v.MulVec(&axes, z)
		for k := range 64 {
			out[64*i+k] = float32(v.AtVec(k) + stat.Mean(mat.Col(nil, k, rows), nil))
		}
	}
	return loss, tensors.FromFlatDataAndDimensions(out, n, 8, 8, 1)
}

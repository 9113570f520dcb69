package diagnostic_test

import (
	"context"
	"fmt"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/diagnostic"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// How many steps does a model need? Here the field has a closed form; a trained one is used
// in the same way.
func Example() {
	ctx := context.Background()
	backend, err := nami.OpenBackend("go")
	if err != nil {
		panic(err)
	}
	base := distribution.NewStandardNormal(2)
	bind := func(steps int) (*nami.Process, error) {
		flow := nami.FlowMatching{Field: swinging, Base: base, Solver: solver.RK4(steps)}
		return flow.Bind(backend, model.NewStore(), nil, nami.DType(dtypes.Float64))
	}
	noise, err := distribution.Draw(backend, base, 1, dtypes.Float64, 200)
	if err != nil {
		panic(err)
	}
	study, err := diagnostic.Convergence(ctx, noise, []int{8, 16, 32, 64}, bind)
	if err != nil {
		panic(err)
	}
	fmt.Printf("order %.0f\n", study.Order)

	process, err := bind(16)
	if err != nil {
		panic(err)
	}
	samples, err := process.SampleFrom(ctx, noise)
	if err != nil {
		panic(err)
	}
	back, err := diagnostic.Reversibility(ctx, process, samples)
	if err != nil {
		panic(err)
	}
	fmt.Println("reversible to 1e-4:", back.Max < 1e-4)

	times := []float64{1, 0.75, 0.5, 0.25, 0}
	trajectory, err := process.Trajectory(ctx, times, 200)
	if err != nil {
		panic(err)
	}
	s, err := diagnostic.Straightness(trajectory, times, len(process.EventShape()))
	if err != nil {
		panic(err)
	}
	fmt.Println("straight:", s.Mean < 0.01)
	// Output:
	// order 4
	// reversible to 1e-4: true
	// straight: false
}

// How long is a field, and how does that vary? One time is for all events.
func ExampleNorm() {
	backend, err := nami.OpenBackend("go")
	if err != nil {
		panic(err)
	}
	x, t := tensors.FromValue([][]float32{{3, 4}, {0, 0}, {6, 8}}), tensors.FromScalar(float32(0.5))
	norm, err := diagnostic.Norm(backend, model.NewStore(), growing, x, t, nil)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.3f ± %.3f\n", norm.Mean, norm.Std)
	// Output: 5.000 ± 4.082
}

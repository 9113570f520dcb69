package infer_test

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/infer"
	"github.com/nami-flow/go-nami/nami/train"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// The rate of a counter, given how often it clicked in ten seconds.
func Example() {
	ctx, backend := context.Background(), nami.MustBackend()
	prior := infer.Independent{{Name: "rate", Law: infer.LogUniform{Min: 0.1, Max: 10}}}
	clicks := func(theta []float64, random *rand.Rand) []float64 {
		return []float64{distuv.Poisson{Lambda: 10 * theta[0], Src: random}.Rand()}
	}
	simulations, err := infer.Simulate(ctx, prior, infer.Each(clicks), 2000)
	if err != nil {
		fmt.Println(err)
		return
	}
	// A small network, and few steps, as the question is an easy one.
	network := field.MLP{EventShape: []int{1}, Hidden: []int{32, 32}, ContextDim: 1}
	posterior, err := infer.NPE{Field: network}.Fit(ctx, backend, prior, simulations, train.Steps(300))
	if err != nil {
		fmt.Println(err)
		return
	}
	draws, err := posterior.Sample(ctx, []float64{20}, 1000) // 20 clicks
	if err != nil {
		fmt.Println(err)
		return
	}
	rate, err := draws.Column("rate")
	if err != nil {
		fmt.Println(err)
		return
	}
	// The posterior is close to a gamma distribution of mean 2 and deviation 0.45.
	fmt.Printf("%d rates, %.0f on average\n", len(rate), stat.Mean(rate, nil))
	// Output: 1000 rates, 2 on average
}

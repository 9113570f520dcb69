package serve_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"strings"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/serve"
	"github.com/nami-flow/go-nami/nami/solver"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// A whole service: it binds a model, warms up, answers a request, and stops when it is told
// to. The model is a standard normal distribution that the context shifts; a real one has a
// trained field, and its weights come from a file.
func Example() {
	flow := nami.FlowMatching{
		Field:  field.Func{Rank: 1, F: func(_ *model.Scope, _, _, c *Node) *Node { return Neg(c) }},
		Base:   distribution.NewStandardNormal(1),
		Solver: solver.Euler(1),
	}
	backend, err := nami.OpenBackend("go")
	if err != nil {
		log.Fatal(err)
	}
	example := tensors.FromFlatDataAndDimensions([]float32{0}, 1)
	process, err := flow.Bind(backend, model.NewStore(), example)
	if err != nil {
		log.Fatal(err)
	}
	handler, err := serve.NewHandler(process, serve.Config{Batches: []int{8, 64}})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := serve.Listen("127.0.0.1:0") // any port
	if err != nil {
		log.Fatal(err)
	}
	// A program would use signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM).
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- handler.Serve(ctx, listener) }()

	url := "http://" + listener.Addr().String()
	for {
		response, err := http.Get(url + "/readyz")
		if err != nil {
			log.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			break
		}
	}
	response, err := http.Post(url+"/sample", "application/json", strings.NewReader(`{"context": [10], "n": 3, "seed": 7}`))
	if err != nil {
		log.Fatal(err)
	}
	var answer struct {
		Samples [][]float64
		Seed    int64
	}
	err = json.NewDecoder(response.Body).Decode(&answer)
	response.Body.Close()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.2f with the seed %d\n", answer.Samples, answer.Seed)

	stop()
	fmt.Println(<-ended)
	// Output:
	// [[10.25] [10.44] [9.72]] with the seed 7
	// <nil>
}

// A program of Go joins what its goroutines ask for without HTTP.
func ExampleBatcher() {
	backend, err := nami.OpenBackend("go")
	if err != nil {
		log.Fatal(err)
	}
	flow := nami.FlowMatching{
		Field:  field.Func{Rank: 1, F: func(_ *model.Scope, _, _, c *Node) *Node { return Neg(c) }},
		Base:   distribution.NewStandardNormal(1),
		Solver: solver.Euler(1),
	}
	context1 := tensors.FromFlatDataAndDimensions([]float32{10}, 1)
	process, err := flow.Bind(backend, model.NewStore(), context1)
	if err != nil {
		log.Fatal(err)
	}
	batcher, err := serve.NewBatcher(process, serve.Config{Batches: []int{8, 64}})
	if err != nil {
		log.Fatal(err)
	}
	defer batcher.Close(context.Background())
	// From any number of goroutines:
	samples, err := batcher.Sample(context.Background(), serve.Sample{Context: context1, N: 3, Seed: 7})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.2f\n", samples.Value())
	// Output:
	// [[10.25] [10.44] [9.72]]
}

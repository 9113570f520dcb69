package tests

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/embedding"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/modelfile"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/train"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// random is a tensor of standard normal numbers.
func random(seed uint64, dims ...int) *tensors.Tensor {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, shape.Size(dims))
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return tensors.FromFlatDataAndDimensions(x, dims...)
}

// Each network, with contexts that are dropped at times, goes all the way: it is trained, saved
// with its model, loaded without its types, bound, and gives the samples that it gave before; and
// its weights serve it guided by its contexts and by a loss.
func TestNetworksAllTheWay(t *testing.T) {
	backend, ctx := all.Go(t), t.Context()
	series := embedding.Parts{{In: 1, Optional: true}, {Of: embedding.Series{Length: 10, Channels: 1, Values: 3, Width: 4}}}
	for name, c := range map[string]struct {
		field   field.Field
		event   []int
		context []int
	}{
		"Transformer": {field.Transformer{EventShape: []int{3, 2}, Width: 8, Blocks: 1, Heads: 2, ContextDim: 2}, []int{3, 2}, []int{2}},
		"DiT":         {field.DiT{EventShape: []int{4, 4, 1}, Width: 8, Blocks: 1, Heads: 2, ContextDim: 2}, []int{4, 4, 1}, []int{2}},
		"UNet":        {field.UNet{EventShape: []int{4, 4, 1}, Width: 4, Blocks: 1, Groups: 2, Attention: []int{1}, ContextDim: 2}, []int{4, 4, 1}, []int{2}},
		"Embedded":    {field.Embedded{Field: field.MLP{EventShape: []int{2}, Hidden: []int{8}, ContextDim: series.Size()}, Embedding: series}, []int{2}, series.ContextShape()},
		"Set":         {field.Embedded{Field: field.MLP{EventShape: []int{2}, Hidden: []int{8}, ContextDim: 3}, Embedding: embedding.Set{Count: 4, Features: 2, Values: 3, Width: 4}}, []int{2}, []int{4, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			const n = 64
			events := data.Events{X: random(1, append([]int{n}, c.event...)...), Context: random(2, append([]int{n}, c.context...)...)}
			store := model.NewStore()
			if _, err := train.Fit(ctx, backend, store, loss.ContextDropout{Of: loss.FM{Field: c.field}}, events, train.Steps(5), train.BatchSize(16)); err != nil {
				t.Fatal(err)
			}
			flow := nami.FlowMatching{Field: c.field, Base: distribution.NewStandardNormal(c.event...), Path: path.Linear{}, Solver: solver.Heun(3)}
			context := random(3, append([]int{2}, c.context...)...)
			samples := func(m nami.FlowMatching) []float64 {
				t.Helper()
				p, err := m.Bind(backend, store, context, nami.Seed(4))
				if err != nil {
					t.Fatal(err)
				}
				x, err := p.Sample(ctx, 3)
				if err != nil {
					t.Fatal(err)
				}
				return toFloats(x)
			}
			want := samples(flow)

			var file bytes.Buffer
			if err := (modelfile.File{Model: flow, Store: store}).Write(&file); err != nil {
				t.Fatal(err)
			}
			loaded, err := modelfile.Read(&file)
			if err != nil {
				t.Fatal(err)
			}
			process, err := loaded.Bind(backend, context, nami.Seed(4))
			if err != nil {
				t.Fatal(err)
			}
			x, err := process.Sample(ctx, 3)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range toFloats(x) {
				if v != want[i] {
					t.Fatalf("loaded, value %d is %v, before %v", i, v, want[i])
				}
			}

			guided := flow
			guided.Field = field.Guided{Field: c.field, Scale: 3}
			near := flow
			near.Field = schedule.LossGuided{Field: c.field, Schedule: schedule.Linear{}, Prediction: schedule.Velocity, Loss: func(x0, _, _ *Node) *Node {
				return MulScalar(ReduceSum(Square(shape.Flatten(x0, len(c.event))), -1), 0.5)
			}}
			size := func(x []float64) (sum float64) {
				for _, v := range x {
					sum += v * v / float64(len(x))
				}
				return sum
			}
			if led := samples(guided); math.IsNaN(size(led)) || size(led) == size(want) {
				t.Errorf("guided, the samples are %v", led)
			}
			if led := samples(near); math.IsNaN(size(led)) || size(led) == size(want) {
				t.Errorf("led to 0, the samples are %v", led)
			}
		})
	}
}

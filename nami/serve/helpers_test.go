package serve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/serve"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// shift moves standard normal numbers by a context of two, in one step.
var shift = nami.FlowMatching{
	Field:  field.Func{Rank: 1, F: func(_ *model.Scope, _, _, c *Node) *Node { return Neg(c) }},
	Base:   distribution.NewStandardNormal(2),
	Solver: solver.Euler(1),
}

// network has weights of its own, a context of three and events of four.
var network = nami.FlowMatching{
	Field:  field.MLP{EventShape: []int{4}, Hidden: []int{32, 32}, ContextDim: 3},
	Base:   distribution.NewStandardNormal(4),
	Solver: solver.RK4(3),
}

func single(values ...float32) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(values, len(values))
}

// bindShift binds shift to an example.
func bindShift(t testing.TB, backend compute.Backend, options ...nami.Option) *nami.Process {
	t.Helper()
	process, err := shift.Bind(backend, model.NewStore(), single(0, 0), options...)
	if err != nil {
		t.Fatal(err)
	}
	return process
}

// drawn is a store with weights of network that were drawn.
func drawn(t testing.TB, backend compute.Backend) *model.Store {
	t.Helper()
	store := model.NewStore()
	if err := nami.Initialize(backend, store, network.Field, []int{4}, []int{3}, 1); err != nil {
		t.Fatal(err)
	}
	return store
}

// bindNetwork binds network with weights that were drawn.
func bindNetwork(t testing.TB, backend compute.Backend, options ...nami.Option) *nami.Process {
	t.Helper()
	process, err := network.Bind(backend, drawn(t, backend), single(0, 0, 0), options...)
	if err != nil {
		t.Fatal(err)
	}
	return process
}

// gate holds up the device: while it is closed, a batch that is computed waits. It is the
// process's progress function, which is called after the first step.
type gate struct {
	mu      sync.Mutex
	open    chan struct{}
	entered chan struct{} // gets one for each batch that came to the gate
}

func newGate() *gate {
	open := make(chan struct{})
	close(open)
	return &gate{open: open, entered: make(chan struct{}, 1000)}
}

// option makes a process go through the gate.
func (g *gate) option() nami.Option {
	return nami.WithProgress(func(_, _ int) {
		g.mu.Lock()
		open := g.open
		g.mu.Unlock()
		select {
		case g.entered <- struct{}{}:
		default:
		}
		<-open
	})
}

// shut closes the gate, and returns what opens it again.
func (g *gate) shut() (release func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	open := make(chan struct{})
	g.open = open
	for len(g.entered) > 0 {
		<-g.entered
	}
	return sync.OnceFunc(func() { close(open) })
}

// newHandler makes a handler, which the test's end closes.
func newHandler(t testing.TB, process *nami.Process, config serve.Config) *serve.Handler {
	t.Helper()
	h, err := serve.NewHandler(process, config)
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, h)
	return h
}

// closeAtEnd closes a batcher or a handler at the test's end.
func closeAtEnd(t testing.TB, c interface {
	Close(ctx context.Context) error
},
) {
	t.Helper()
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// exploding is a process whose events become NaN where the context is large: it multiplies
// them by exp(context).
func exploding(t testing.TB, option nami.Option) *nami.Process {
	t.Helper()
	flow := nami.FlowMatching{
		Field: field.Func{Rank: 1, F: func(_ *model.Scope, x, _, c *Node) *Node { return Mul(Exp(c), x) }},
		Base:  distribution.NewStandardNormal(1), Solver: solver.RK4(3),
	}
	process, err := flow.Bind(gomlxtest.Go(t), model.NewStore(), single(0), option)
	if err != nil {
		t.Fatal(err)
	}
	return process
}

// start serves a handler that is ready, for a test.
func start(t testing.TB, h *serve.Handler) (url string) {
	t.Helper()
	if err := h.Warm(context.Background()); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// reply is an answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// post sends a body of a type.
func post(t testing.TB, url, kind string, body []byte, headers ...string) reply {
	t.Helper()
	r, err := send(url, kind, bytes.NewReader(body), headers...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func send(url, kind string, body io.Reader, headers ...string) (reply, error) {
	request, err := http.NewRequest(http.MethodPost, url, body)
	if err != nil {
		return reply{}, err
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, content}, err
}

// get asks for a page.
func get(t testing.TB, url string) reply {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, content}
}

// says fails the test unless an answer is an error with that status that says want.
func (r reply) says(t testing.TB, what string, status int, want string) {
	t.Helper()
	var body struct{ Error string }
	if err := json.Unmarshal(r.body, &body); err != nil || r.status != status || !strings.Contains(body.Error, want) {
		t.Errorf("%s: the answer is %d %s, expected %d with an error that says %q", what, r.status, r.body, status, want)
	}
}

// samples are those of an answer in JSON.
func (r reply) samples(t testing.TB, what string) (values [][]float64, seed int64) {
	t.Helper()
	var body struct {
		Samples [][]float64
		Seed    int64
	}
	if err := json.Unmarshal(r.body, &body); err != nil || r.status != http.StatusOK {
		t.Fatalf("%s: the answer is %d %s (%v), expected samples", what, r.status, r.body, err)
	}
	return body.Samples, body.Seed
}

// eventually waits until something is true, however long it takes: a test that waits in vain
// is ended by go test.
func eventually(ok func() bool) {
	for !ok() {
		time.Sleep(time.Millisecond)
	}
}

package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/semaphore"
)

// Handler answers requests over HTTP: see the package's comment. It is an [http.Handler] that
// can stand in any server; [Handler.Serve] is one with limits for clients that are slow.
type Handler struct {
	*Batcher
	memory   *semaphore.Weighted
	metricsz http.Handler
	ready    atomic.Bool
	stopping atomic.Bool
}

// NewHandler returns the handler of a process; see [NewBatcher]. It answers 503 to requests
// for samples and log-densities until [Handler.Warm] is done.
func NewHandler(process *nami.Process, config Config) (*Handler, error) {
	b, err := NewBatcher(process, config)
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(b, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return &Handler{
		Batcher: b, memory: semaphore.NewWeighted(b.config.Memory),
		metricsz: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
	}, nil
}

// Warm compiles all programs, as [Batcher.Warm] does, and makes the handler ready.
func (h *Handler) Warm(ctx context.Context) error {
	err := h.Batcher.Warm(ctx)
	if err == nil {
		if h.config.Ready != nil {
			h.config.Ready()
		}
		h.ready.Store(true)
	}
	return err
}

// methods are what the paths take.
var methods = map[string]string{
	"/sample": http.MethodPost, "/logprob": http.MethodPost,
	"/healthz": http.MethodGet, "/readyz": http.MethodGet, "/metrics": http.MethodGet, "/": http.MethodGet,
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method, known := methods[r.URL.Path]
	start, path := time.Now(), r.URL.Path
	if !known {
		path = "other" // or a client could make any number of metrics
	}
	answer := &answer{ResponseWriter: w, stall: h.config.Stall}
	// Counted even if the handler panics to cut off an answer.
	defer func() {
		h.metrics.requests.WithLabelValues(path, strconv.Itoa(answer.status)).Inc()
		h.metrics.seconds.WithLabelValues(path).Observe(time.Since(start).Seconds())
	}()
	defer answer.end()
	if answer.unread = r.ContentLength != 0; answer.unread { // a body, whether anyone wants it or not
		// A server that knows no deadlines has limits of its own.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(h.config.Stall))
	}
	switch {
	case !known:
		answer.error(errorf(http.StatusNotFound, "there is no %s: there are POST /sample, POST /logprob, GET /, GET /healthz, GET /readyz and GET /metrics", r.URL.Path))
	case r.Method != method && (method != http.MethodGet || r.Method != http.MethodHead):
		w.Header().Set("Allow", method)
		answer.error(errorf(http.StatusMethodNotAllowed, "%s is asked with %s: expected %s", r.URL.Path, r.Method, method))
	case path == "/healthz":
		answer.json(http.StatusOK, map[string]string{"status": "ok"})
	case path == "/readyz":
		if err := h.notReady(); err != nil {
			answer.error(err)
			return
		}
		answer.json(http.StatusOK, map[string]string{"status": "ready"})
	case path == "/metrics":
		answer.within(0)
		h.metricsz.ServeHTTP(answer, r)
	case path == "/":
		answer.json(http.StatusOK, h.about())
	case path == "/sample":
		h.compute(answer, r, h.sample)
	default:
		h.compute(answer, r, h.logProb)
	}
}

// notReady is the answer to requests before the server is ready, and while it stops.
func (h *Handler) notReady() *failure {
	switch {
	case h.stopping.Load():
		return &failure{status: http.StatusServiceUnavailable, retry: h.config.Grace, err: errors.New("the server is stopping: it answers what it has, and takes nothing new")}
	case !h.ready.Load():
		return &failure{status: http.StatusServiceUnavailable, retry: time.Second, err: errors.New("the server is warming up: it compiles its programs, and isn't ready yet")}
	}
	return nil
}

// about is what is served.
func (h *Handler) about() any {
	type limits struct {
		Events int    `json:"events"`
		Bytes  int64  `json:"bytes"`
		Time   string `json:"time"`
	}
	out := struct {
		Event   []int  `json:"event"`
		Context []int  `json:"context,omitempty"`
		Mask    []int  `json:"mask,omitempty"`
		LogProb bool   `json:"logprob"`
		Noisy   bool   `json:"noisy"`
		DType   string `json:"dtype"`
		Most    limits `json:"most"`
		Batches []int  `json:"batches"`
		About   any    `json:"about,omitempty"`
	}{
		Event: h.process.EventShape(), Context: h.one(h.example.Context()), Mask: h.one(h.example.Mask()),
		LogProb: h.example.CheckLogProb(h.config.Estimator) == nil, Noisy: h.example.Noisy(h.config.Estimator), DType: h.process.DType().String(),
		Most: limits{h.config.MaxEvents, h.config.MaxBody, h.config.Timeout.String()}, Batches: h.config.Batches, About: h.config.About,
	}
	if out.Event == nil {
		out.Event = []int{} // a scalar
	}
	return out
}

// compute answers a request that takes the device.
func (h *Handler) compute(w *answer, r *http.Request, call func(in request) (*job, error)) {
	if err := h.notReady(); err != nil {
		w.error(err)
		return
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), h.config.Timeout, errTimeout)
	defer cancel()
	in, held, err := h.read(w, r)
	defer func() { h.memory.Release(held) }()
	if err != nil {
		w.error(err)
		return
	}
	j, wrong := call(in)
	if wrong != nil {
		w.error(refused(wrong))
		return
	}
	more := answerCost * int64(j.rows) * int64(rowSize(j)) * int64(h.process.DType().Size())
	if err := h.hold(more, "the answer"); err != nil {
		w.error(err)
		return
	}
	held += more
	if in.timeout > 0 {
		ctx, cancel = context.WithTimeoutCause(ctx, in.timeout, errTimeout)
		defer cancel()
	}
	out, wrong := h.do(ctx, j)
	if wrong != nil {
		w.error(h.computing(r, in, wrong))
		return
	}
	w.write(in, j.kind, out)
}

// rowSize is the number of values of a row of a job's result.
func rowSize(j *job) int {
	size := 1
	for _, n := range j.shape {
		size *= n
	}
	return size / j.rows
}

// sample makes a job of a request for samples.
func (h *Handler) sample(in request) (*job, error) {
	if in.x != nil {
		return nil, errors.New("there is an x, and samples need none: expected n, and context and mask if the model has them")
	}
	context, mask, err := h.given(in)
	if err != nil {
		return nil, err
	}
	return h.sampleJob(Sample{Context: context, Mask: mask, N: in.n, Seed: in.seed})
}

// logProb makes a job of a request for log-densities.
func (h *Handler) logProb(in request) (*job, error) {
	if in.x == nil {
		return nil, errors.New("there is no x: expected the events whose log-densities are asked for")
	}
	if in.counted {
		return nil, fmt.Errorf("n is %d, and log-densities need none: there is one for each event of x", in.n)
	}
	context, mask, err := h.given(in)
	if err != nil {
		return nil, err
	}
	x, err := in.x.tensor("x", h.process.DType())
	if err != nil {
		return nil, err
	}
	return h.logProbJob(LogProb{X: x, Context: context, Mask: mask, Seed: in.seed})
}

// given are the context and the mask of a request.
func (h *Handler) given(in request) (context, mask *tensors.Tensor, err error) {
	if context, err = in.context.tensor("context", h.process.DType()); err != nil {
		return nil, nil, err
	}
	mask, err = in.mask.tensor("mask", h.process.DType())
	return context, mask, err
}

// hold takes so many bytes of the memory that is there for bodies and answers.
func (h *Handler) hold(bytes int64, what string) *failure {
	switch {
	case bytes > h.config.Memory:
		return errorf(http.StatusRequestEntityTooLarge, "%s would take about %d bytes, and this server holds at most %d: ask for less at a time", what, bytes, h.config.Memory)
	case !h.memory.TryAcquire(bytes):
		return &failure{status: http.StatusTooManyRequests, retry: h.retry(), err: fmt.Errorf("the server holds as many bodies and answers as its memory is for, %d bytes, so there is no room for %s: ask again later", h.config.Memory, what)}
	}
	return nil
}

// retry is about when there is room again.
func (h *Handler) retry() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.wait()
}

// errTimeout is why a request ends at its deadline.
var errTimeout = errors.New("the time is over")

// computing is the answer to a job that failed.
func (h *Handler) computing(r *http.Request, in request, err error) *failure {
	var full *FullError
	var event failedError
	switch {
	case r.Context().Err() != nil:
		return errorf(statusGone, "the client has gone")
	case errors.Is(err, errTimeout):
		limit := h.config.Timeout
		if in.timeout > 0 {
			limit = min(limit, in.timeout)
		}
		return errorf(http.StatusGatewayTimeout, "the time of %v is over, and not all was computed: ask for less, give more time with timeout (at most %v), or ask when there is less to do", limit, h.config.Timeout)
	case errors.As(err, &full):
		return &failure{status: http.StatusTooManyRequests, retry: full.Retry, err: err}
	case errors.Is(err, ErrClosed):
		return &failure{status: http.StatusServiceUnavailable, retry: h.config.Grace, err: errors.New("the server is stopping: it takes nothing new")}
	case errors.Is(err, transform.ErrOutside): // of a later step of a chain, which is computed
		return &failure{status: http.StatusBadRequest, err: err}
	case errors.As(err, &event):
		return errorf(http.StatusUnprocessableEntity, "%v", err)
	}
	return &failure{status: http.StatusInternalServerError, err: err}
}

// statusGone is what metrics call a request whose client has gone, as nginx does.
const statusGone = 499

// failure is an answer that says what is wrong.
type failure struct {
	status int
	err    error
	retry  time.Duration // when to ask again; 0 to say nothing of it
}

func errorf(status int, format string, args ...any) *failure {
	return &failure{status: status, err: fmt.Errorf(format, args...)}
}

// refused is the answer to a call that doesn't fit the model or the limits.
func refused(err error) *failure {
	if errors.Is(err, ErrNoLogProb) {
		return &failure{status: http.StatusNotImplemented, err: err}
	}
	return &failure{status: http.StatusBadRequest, err: err}
}

// answer writes what a client is told, within time for a client that takes it.
type answer struct {
	http.ResponseWriter
	stall  time.Duration
	status int  // that was sent, 0 before
	unread bool // there is a body, and it wasn't read to its end
}

// Unwrap is for [http.ResponseController].
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader remembers the status.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write writes a part of the body.
func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	return a.ResponseWriter.Write(b)
}

// json answers with a value.
func (a *answer) json(status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		a.error(errorf(http.StatusInternalServerError, "the answer can't be written as JSON: %v", err))
		return
	}
	a.body(status, body)
}

// body answers with JSON.
func (a *answer) body(status int, body []byte) {
	body = append(body, '\n')
	a.Header().Set("Content-Type", typeJSON)
	a.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if a.unread {
		a.Header().Set("Connection", "close") // or the server would wait for the rest before it answers
	}
	a.within(len(body))
	a.WriteHeader(status)
	_, _ = a.Write(body) // who doesn't take it has gone
}

// error answers with what is wrong.
func (a *answer) error(f *failure) {
	if f.status == statusGone {
		a.status = statusGone
		panic(http.ErrAbortHandler) // or the server would say that all is well
	}
	if f.retry > 0 {
		a.Header().Set("Retry-After", strconv.Itoa(int((f.retry+time.Second-1)/time.Second)))
	}
	body, _ := json.Marshal(map[string]string{"error": f.err.Error()}) // of strings it doesn't fail
	a.body(f.status, body)
}

// within ends the connection if the client hasn't taken so many bytes in time.
func (a *answer) within(bytes int) {
	const each = 1 << 20
	// A server that knows no deadlines has limits of its own.
	_ = http.NewResponseController(a.ResponseWriter).SetWriteDeadline(time.Now().Add(time.Duration(1+bytes/each) * a.stall))
}

// end sends what is left of the answer, while its deadline holds, and takes the deadline away
// from the connection, whose next request has one of its own.
func (a *answer) end() {
	control := http.NewResponseController(a.ResponseWriter)
	if a.status > 0 && a.status != statusGone {
		_ = control.Flush()
	}
	_ = control.SetWriteDeadline(time.Time{})
}

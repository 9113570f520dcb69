package serve_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/internal/table/npy"
	"github.com/nami-flow/go-nami/nami/serve"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

const (
	jsonType = "application/json"
	npyType  = "application/x-npy"
	npzType  = "application/x-npz"
)

// numpy is an array as numpy.save writes it.
func numpy(t testing.TB, values []float32, shape ...int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := npy.WriteArray(&b, values, shape); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// numpyZip are arrays as numpy.savez writes them.
func numpyZip(t testing.TB, arrays map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, array := range arrays {
		w, err := z.Create(name + ".npy")
		if err == nil {
			_, err = w.Write(array)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// array is what an answer of NumPy's type holds.
func (r reply) array(t testing.TB, what string) npy.Array {
	t.Helper()
	if r.status != http.StatusOK || r.header.Get("Content-Type") != npyType {
		t.Fatalf("%s: the answer is %d %s, expected a NumPy array", what, r.status, r.body)
	}
	a, err := npy.ReadArray(bytes.NewReader(r.body))
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return a
}

// In JSON and in NumPy's formats, samples and log-densities are those of the process.
func TestRequests(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx := context.Background()
		process := bindNetwork(t, backend)
		url := start(t, newHandler(t, process, serve.Config{Batches: []int{8}, Estimator: divergence.Exact{}}))
		alone, err := process.Rebind(single(1, -2, 0.5))
		if err != nil {
			t.Fatal(err)
		}
		want, err := alone.Seeded(7).Sample(ctx, 5)
		values := gomlxtest.Floats(t, want, err)
		rows := [][]float64{}
		for row := range slices.Chunk(values, 4) {
			rows = append(rows, row)
		}

		r := post(t, url+"/sample", jsonType, []byte(`{"context": [1, -2, 5e-1], "n": 5, "seed": 7, "timeout": "1m"}`))
		got, seed := r.samples(t, "JSON")
		if len(got) != 5 || seed != 7 || r.header.Get("Nami-Seed") != "7" {
			t.Errorf("there are %d samples with the seed %d, expected 5 with 7", len(got), seed)
		}
		gomlxtest.Near(t, "JSON", slices.Concat(got...), values, 1e-5)

		context := numpy(t, []float32{1, -2, 0.5}, 3)
		a := post(t, url+"/sample?n=5&seed=7&timeout=1m", npyType, context).array(t, "NumPy")
		gomlxtest.Near(t, "NumPy", a.Values, values, 1e-5)
		if !slices.Equal(a.Shape, []int{5, 4}) {
			t.Errorf("the shape is %v, expected [5 4]", a.Shape)
		}
		a = post(t, url+"/sample?n=5&seed=7", npzType, numpyZip(t, map[string][]byte{"context": context})).array(t, "a zip file")
		gomlxtest.Near(t, "a zip file", a.Values, values, 1e-5)
		got, _ = post(t, url+"/sample?n=5&seed=7", npyType, context, "Accept", "application/json").samples(t, "NumPy to JSON")
		gomlxtest.Near(t, "NumPy to JSON", slices.Concat(got...), values, 1e-5)

		// Several contexts at once.
		r = post(t, url+"/sample", jsonType, []byte(`{"context": [[1, -2, 0.5], [0, 0, 0]], "n": 2, "seed": 7}`), "Accept", npyType)
		if a := r.array(t, "two contexts"); !slices.Equal(a.Shape, []int{2, 2, 4}) {
			t.Errorf("the shape is %v, expected [2 2 4]", a.Shape)
		}

		wantLog, err := alone.LogProb(ctx, want, divergence.Exact{})
		logs := gomlxtest.Floats(t, wantLog, err)
		body, err := json.Marshal(map[string]any{"context": []float64{1, -2, 0.5}, "x": rows})
		if err != nil {
			t.Fatal(err)
		}
		var answer struct{ LogProb []float64 }
		if r = post(t, url+"/logprob", jsonType, body); json.Unmarshal(r.body, &answer) != nil || r.status != http.StatusOK {
			t.Fatalf("the answer is %d %s, expected log-densities", r.status, r.body)
		}
		gomlxtest.Near(t, "log-densities", answer.LogProb, logs, 1e-4)
		single := make([]float32, len(values))
		for i, v := range values {
			single[i] = float32(v)
		}
		a = post(t, url+"/logprob", npzType, numpyZip(t, map[string][]byte{"context": context, "x": numpy(t, single, 5, 4)})).array(t, "log-densities in a zip file")
		gomlxtest.Near(t, "log-densities in a zip file", a.Values, logs, 1e-4)

		// Without a seed the server takes one, which gives the same again.
		r = post(t, url+"/sample", jsonType, []byte(`{"context": [1, -2, 0.5], "n": 3}`))
		first, seed := r.samples(t, "no seed")
		again, _ := post(t, url+"/sample", jsonType, fmt.Appendf(nil, `{"context": [1, -2, 0.5], "n": 3, "seed": %d}`, seed)).samples(t, "the server's seed")
		if !slices.Equal(slices.Concat(first...), slices.Concat(again...)) {
			t.Errorf("with the seed %d that the server told, the samples are others", seed)
		}
	})
}

// A process without a context needs no body, and one that can't give log-densities says so.
func TestNoBody(t *testing.T) {
	square, err := distribution.NewUniform(single(0, 0), single(1, 1), 1)
	if err != nil {
		t.Fatal(err)
	}
	flow := nami.FlowMatching{
		Field: field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return MulScalar(x, 0.1) }},
		Base:  square, Solver: solver.Euler(2),
	}
	process, err := flow.Bind(gomlxtest.Go(t), model.NewStore(), nil)
	if err != nil {
		t.Fatal(err)
	}
	url := start(t, newHandler(t, process, serve.Config{Batches: []int{8}}))
	samples, seed := post(t, url+"/sample?n=9&seed=4", "", nil).samples(t, "no body")
	if len(samples) != 9 || seed != 4 {
		t.Errorf("there are %d samples with the seed %d, expected 9 with 4", len(samples), seed)
	}
	post(t, url+"/logprob", jsonType, []byte(`{"x": [0.5, 0.5]}`)).says(t, "no estimator", http.StatusNotImplemented, "the estimator of the divergence is nil")

	// JSON has no -Inf, which is a log-density; NumPy has.
	url = start(t, newHandler(t, process, serve.Config{Batches: []int{8}, Estimator: divergence.Exact{}}))
	post(t, url+"/logprob", jsonType, []byte(`{"x": [[0.5, 0.5], [9e3, 9e3]]}`)).says(t, "-Inf", http.StatusUnprocessableEntity, "1 of 2 values are infinite or NaN")
	a := post(t, url+"/logprob", jsonType, []byte(`{"x": [[0.5, 0.5], [9e3, 9e3]]}`), "Accept", npyType).array(t, "-Inf")
	if len(a.Values) != 2 || !math.IsInf(a.Values[1], -1) || math.IsInf(a.Values[0], 0) {
		t.Errorf("the log-densities are %v, expected a number and -Inf", a.Values)
	}
}

// What can't be asked is refused, with words that say what is expected.
func TestBadRequests(t *testing.T) {
	h := newHandler(t, bindNetwork(t, gomlxtest.Go(t)), serve.Config{
		Batches: []int{8}, MaxEvents: 100, MaxBody: 4000, Estimator: divergence.Exact{},
	})
	url := start(t, h)
	type request struct{ path, kind, body string }
	const (
		sample  = "/sample"
		logprob = "/logprob"
	)
	for _, test := range []struct {
		request
		status int
		want   string
	}{
		{request{sample, jsonType, ""}, 400, "the body isn't what this server reads (EOF)"},
		{request{sample, jsonType, "garbage"}, 400, "the body isn't JSON"},
		{request{sample, jsonType, "\x00\x01\xff"}, 400, "the body isn't JSON"},
		{request{sample, jsonType, `{"context": [1, 2, 3]`}, 400, "unexpected EOF"},
		{request{sample, jsonType, `{"context": [1, 2, 3]} {}`}, 400, "something follows behind its end"},
		{request{sample, jsonType, `[1, 2, 3]`}, 400, "expected an object"},
		{request{sample, jsonType, `{"contxt": [1, 2, 3]}`}, 400, `unknown field "contxt"`},
		{request{sample, jsonType, `{"context": [1, 2, NaN]}`}, 400, "JSON has no numbers that aren't finite"},
		{request{sample, jsonType, `{"context": [1, 2, -Infinity]}`}, 400, "JSON has no numbers that aren't finite"},
		{request{sample, jsonType, `{"context": [1, 2, 1e999]}`}, 400, "context[2] is 1e999, which is more than a float64 holds"},
		{request{sample, jsonType, `{"context": [1, 2, 1e39]}`}, 400, "value 2 of context is 1e+39, which is more than Float32 holds"},
		{request{sample, jsonType, `{"context": [[1, 2, 3], [1, 2]]}`}, 400, "context[1] has 2 elements, and those before it 3"},
		{request{sample, jsonType, `{"context": [[1, 2, 3], 1]}`}, 400, "context[1] is a number, and those before it are deeper"},
		{request{sample, jsonType, `{"context": [1, [2, 3]]}`}, 400, "context[1] is an array"},
		{request{sample, jsonType, `{"context": [1, "two", 3]}`}, 400, `context[1] is "two": expected a number`},
		{request{sample, jsonType, `{"context": {"a": 1}}`}, 400, "this server doesn't know any: expected numbers"},
		{request{sample, jsonType, `{"context": []}`}, 400, "context has no values"},
		{request{sample, jsonType, `{"context": ` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}`}, 400, "context has more than 16 axes"},
		{request{sample, jsonType, `{"context": [1, 2]}`}, 400, "expected Float32 values of shape batch_shape+(3)"},
		{request{sample, jsonType, `{"n": 2}`}, 400, "there is no context: expected one of shape (3)"},
		{request{sample, jsonType, `{"context": [1, 2, 3], "n": 0}`}, 400, "n is 0: expected a whole number from 1 to 100"},
		{request{sample, jsonType, `{"context": [1, 2, 3], "n": -3}`}, 400, "n is -3: expected"},
		{request{sample, jsonType, `{"context": [1, 2, 3], "n": 1.5}`}, 400, "n is 1.5: expected"},
		{request{sample, jsonType, `{"context": [1, 2, 3], "n": "5"}`}, 400, `n is "5": expected`},
		{request{sample, jsonType, `{"context": [1, 2, 3], "n": 1000000000000000000}`}, 400, "n is 1000000000000000000: expected a whole number from 1 to 100, the most events"},
		{request{sample, jsonType, `{"context": [1, 2, 3], "n": 99999999999999999999999}`}, 400, "n is 99999999999999999999999: expected"},
		{request{sample, jsonType, `{"context": [[1, 2, 3], [1, 2, 3]], "n": 51}`}, 400, "n is 51 for each of 2 contexts: expected at most 100 events"},
		{request{sample, jsonType, `{"context": [1, 2, 3], "seed": 1e3}`}, 400, "seed is 1e3: expected a whole number of 64 bits"},
		{request{sample, jsonType, `{"context": [1, 2, 3], "timeout": 5}`}, 400, `timeout is 5: expected a text such as "500ms"`},
		{request{sample, jsonType, `{"context": [1, 2, 3], "timeout": "soon"}`}, 400, "timeout is soon: expected a time such as 500ms"},
		{request{sample, jsonType, `{"context": [1, 2, 3], "timeout": "-1s"}`}, 400, "timeout is -1s: expected"},
		{request{sample, jsonType, `{"context": [1, 2, 3], "x": [1, 2, 3, 4]}`}, 400, "there is an x, and samples need none"},
		{request{sample + "?n=3", jsonType, `{"context": [1, 2, 3], "n": 3}`}, 400, "n stands in the query and in the body"},
		{request{sample + "?m=3", jsonType, `{"context": [1, 2, 3]}`}, 400, `the query has the parameter "m"`},
		{request{sample + "?n=3&n=4", jsonType, `{"context": [1, 2, 3]}`}, 400, "the query has n 2 times"},
		{request{sample + "?n=%zz", jsonType, `{}`}, 400, "can't be read"},
		{request{sample, npyType, "garbage"}, 400, "it ends before the header does"},
		{request{sample, npyType, string(numpy(t, []float32{1, 2, 3}, 3)[:136])}, 400, "it was cut off"},
		{request{sample, npyType, strings.Replace(string(numpy(t, []float32{1, 2, 3}, 3)), "(3,)", "(9223372036854775807, 9)", 1)}, 400, "isn't a NumPy array that this server reads"},
		{request{sample, npyType, string(numpy(t, []float32{1, 2, float32(math.NaN())}, 3))}, 400, "1 of 3 values of the context"},
		{request{sample, npzType, "garbage"}, 400, "it isn't a whole zip file"},
		{request{sample, npzType, string(numpyZip(t, map[string][]byte{"contxt": numpy(t, []float32{1}, 1)}))}, 400, `the body has the array "contxt"`},
		{request{sample, npzType, string(numpyZip(t, map[string][]byte{"context": numpy(t, make([]float32, 30_000), 10_000, 3)}))}, 400, "unpacks to"},
		{request{sample, "text/plain", "1 2 3"}, 415, `Content-Type is "text/plain": expected application/json`},
		{request{sample, "", "1 2 3"}, 415, `Content-Type is ""`},
		{request{sample, jsonType, `{"context": [` + strings.Repeat("1,", 3000) + `1]}`}, 413, "the body has more than 4000 bytes"},
		{request{logprob, jsonType, `{"context": [1, 2, 3]}`}, 400, "there is no x"},
		{request{logprob, jsonType, `{"context": [1, 2, 3], "x": [1, 2, 3]}`}, 400, "the data"},
		{request{logprob, jsonType, `{"context": [1, 2, 3], "x": [1, 2, 3, 4], "n": 2}`}, 400, "n is 2, and log-densities need none"},
		{request{logprob, npyType, string(numpy(t, []float32{1, 2, 3, 4}, 4))}, 400, "there is no context"},
		{request{"/smaple", jsonType, `{}`}, 404, "there is no /smaple: there are POST /sample"},
	} {
		r := post(t, url+test.path, test.kind, []byte(test.body))
		what := fmt.Sprintf("%s %.60q", test.path, test.body)
		r.says(t, what, test.status, test.want)
		if r.header.Get("Content-Type") != jsonType {
			t.Errorf("%s: the error is %s, expected JSON", what, r.header.Get("Content-Type"))
		}
	}
	post(t, url+sample, jsonType, []byte("{}"), "Accept", "text/html").says(t, "Accept", 406, "this server answers with application/json or application/x-npy")
	post(t, url+sample, jsonType, []byte("{}"), "Content-Encoding", "gzip").says(t, "packed", 415, `Content-Encoding is "gzip"`)
	r := get(t, url+sample)
	r.says(t, "GET", 405, "/sample is asked with GET: expected POST")
	if r.header.Get("Allow") != http.MethodPost {
		t.Errorf("Allow is %q, expected POST", r.header.Get("Allow"))
	}
	// All of that, and the server still works.
	if got, _ := post(t, url+sample, jsonType, []byte(`{"context": [1, 2, 3], "n": 100}`)).samples(t, "afterwards"); len(got) != 100 {
		t.Errorf("there are %d samples, expected 100", len(got))
	}
}

// What a client wants decides how it is answered.
func TestAccept(t *testing.T) {
	url := start(t, newHandler(t, bindShift(t, gomlxtest.Go(t)), serve.Config{Batches: []int{8}}))
	for accept, want := range map[string]string{
		"": jsonType, "*/*": jsonType, "application/*": jsonType, npyType: npyType, jsonType: jsonType,
		"text/html, application/x-npy;q=0.5":                    npyType,
		"application/json;q=0.5, application/x-npy":             npyType,
		"application/json, application/x-npy;q=0.5":             jsonType,
		"application/x-npy;q=0, application/json;q=0.1":         jsonType,
		"text/html,application/xhtml+xml,*/*;q=0.8":             jsonType,
		"application/x-npy;q=0.2, application/x-npz, */*;q=0.1": npyType,
	} {
		r := post(t, url+"/sample", jsonType, []byte(`{"context": [1, 2]}`), "Accept", accept)
		if got := r.header.Get("Content-Type"); got != want || r.status != 200 {
			t.Errorf("Accept %q: the answer is %d %s, expected %s", accept, r.status, got, want)
		}
	}
}

// Before all is compiled the server is live, not ready, and computes nothing.
func TestBeforeReady(t *testing.T) {
	h := newHandler(t, bindShift(t, gomlxtest.Go(t)), serve.Config{Batches: []int{8}})
	server := httptest.NewServer(h)
	defer server.Close()
	if r := get(t, server.URL+"/healthz"); r.status != 200 {
		t.Errorf("/healthz is %d %s, expected 200", r.status, r.body)
	}
	get(t, server.URL+"/readyz").says(t, "readyz", 503, "isn't ready yet")
	r := post(t, server.URL+"/sample", jsonType, []byte(`{"context": [1, 2]}`))
	r.says(t, "too early", 503, "isn't ready yet")
	if r.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After is %q, expected 1", r.header.Get("Retry-After"))
	}
	if err := h.Warm(context.Background()); err != nil {
		t.Fatal(err)
	}
	if r := get(t, server.URL+"/readyz"); r.status != 200 {
		t.Errorf("/readyz is %d %s, expected 200", r.status, r.body)
	}
	post(t, server.URL+"/sample", jsonType, []byte(`{"context": [1, 2]}`)).samples(t, "now")
}

// GET / says what is served, and /metrics what was done.
func TestAbout(t *testing.T) {
	h := newHandler(t, bindNetwork(t, gomlxtest.Go(t)), serve.Config{Batches: []int{8}, MaxEvents: 50, About: map[string]string{"notes": "a test"}})
	url := start(t, h)
	var about struct {
		Event, Context []int
		LogProb        bool
		Most           struct{ Events int }
		About          map[string]string
	}
	r := get(t, url+"/")
	if err := json.Unmarshal(r.body, &about); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(about.Event, []int{4}) || !slices.Equal(about.Context, []int{3}) || about.LogProb || about.Most.Events != 50 || about.About["notes"] != "a test" {
		t.Errorf("GET / says %s", r.body)
	}
	post(t, url+"/sample", jsonType, []byte(`{"context": [1, 2, 3], "n": 5}`))
	post(t, url+"/sample", jsonType, []byte(`{`))
	post(t, url+"/whatever", jsonType, []byte(`{`))
	for _, want := range []string{
		`nami_requests_total{path="/sample",status="200"} 1`, `nami_requests_total{path="/sample",status="400"} 1`,
		`nami_requests_total{path="other",status="404"} 1`, `nami_events_total{kind="sample"} 5`, "nami_queue_events 0",
		`nami_batch_seconds_count{kind="sample",size="8"} 1`, "go_goroutines", "process_resident_memory_bytes",
	} {
		// A request is counted when its answer is out.
		eventually(func() bool { return strings.Contains(string(get(t, url+"/metrics").body), want) })
	}
}

// What doesn't come out, and what isn't computed in time, has a status of its own.
func TestFailuresAreTold(t *testing.T) {
	gate := newGate()
	process := exploding(t, gate.option())
	h := newHandler(t, process, serve.Config{Batches: []int{8}, Queue: 10})
	url := start(t, h)
	post(t, url+"/sample", jsonType, []byte(`{"context": [300], "n": 3}`)).says(t, "NaN", 422, "3 of 3 samples didn't get from t = 1 to 0")
	release := gate.shut()
	defer release()
	r := post(t, url+"/sample", jsonType, []byte(`{"context": [0], "n": 3, "timeout": "20ms"}`))
	r.says(t, "a deadline", 504, "the time of 20ms is over")
	// The device is still at it, so the queue fills.
	for range 2 {
		go func() {
			_, _ = send(url+"/sample", jsonType, strings.NewReader(`{"context": [0], "n": 5}`))
		}()
	}
	eventually(func() bool { return queued(t, h) == 10 })
	full := post(t, url+"/sample", jsonType, []byte(`{"context": [0], "n": 5}`))
	full.says(t, "full", 429, "and at most 10 may")
	if full.header.Get("Retry-After") == "" {
		t.Error("the refusal has no Retry-After")
	}
	release()
	eventually(func() bool {
		return post(t, url+"/sample", jsonType, []byte(`{"context": [0], "n": 5}`)).status == http.StatusOK
	})
}

// Bodies and answers share a bounded memory: what has no room is refused, and what can never
// have any is too large.
func TestMemory(t *testing.T) {
	gate := newGate()
	h := newHandler(t, bindShift(t, gomlxtest.Go(t), gate.option()), serve.Config{
		Batches: []int{8}, MaxBody: 100, Memory: 5000, Timeout: time.Minute,
	})
	url := start(t, h)
	post(t, url+"/sample", jsonType, []byte(`{"context": [1, 2], "n": 1000}`)).says(t, "too large", 413, "would take about 16000 bytes, and this server holds at most 5000")
	release := gate.shut()
	defer release()
	answers := make(chan reply, 1)
	go func() {
		r, _ := send(url+"/sample", jsonType, strings.NewReader(`{"context": [1, 2], "n": 250}`)) // 4000 bytes
		answers <- r
	}()
	<-gate.entered
	post(t, url+"/sample", jsonType, []byte(`{"context": [1, 2], "n": 60}`)).says(t, "no room", 429, "as many bodies and answers as its memory is for, 5000 bytes")
	release()
	if r := <-answers; r.status != 200 {
		t.Errorf("the first answer is %d %s", r.status, r.body)
	}
	if r := post(t, url+"/sample", jsonType, []byte(`{"context": [1, 2], "n": 250}`)); r.status != 200 {
		t.Errorf("afterwards the answer is %d %s", r.status, r.body)
	}
}

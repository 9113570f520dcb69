package serve_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/serve"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// endless is JSON that goes on for so many bytes, and counts those that were taken.
type endless struct {
	left  int64
	taken atomic.Int64
}

func (e *endless) Read(b []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(b)), e.left)
	for i := range b[:n] {
		b[i] = "1,"[i%2]
	}
	e.left -= n
	e.taken.Add(n)
	return int(n), nil
}

// A body of 1 GB is refused, whether it says its length or not, without being read.
func TestHugeBody(t *testing.T) {
	url := start(t, newHandler(t, bindShift(t, gomlxtest.Go(t)), serve.Config{Batches: []int{8}, MaxBody: 1 << 20}))
	for _, length := range []int64{1 << 30, -1} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		body := &endless{left: 1 << 30}
		request, err := http.NewRequest(http.MethodPost, url+"/sample", io.MultiReader(strings.NewReader(`{"context": [`), body))
		if err != nil {
			t.Fatal(err)
		}
		request.ContentLength = length
		request.Header.Set("Content-Type", jsonType)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatalf("length %d: %v", length, err)
		}
		content, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		reply{response.StatusCode, response.Header, content}.says(t, "1 GB", http.StatusRequestEntityTooLarge, "the body has more than 1048576 bytes")
		runtime.ReadMemStats(&after)
		if taken := body.taken.Load(); taken > 64<<20 {
			t.Errorf("length %d: %d bytes were read, expected hardly more than the limit of 1 MiB and what sockets hold", length, taken)
		}
		// What was allocated in all, by the client too, bounds what was held.
		if got := after.TotalAlloc - before.TotalAlloc; got > 32<<20 {
			t.Errorf("length %d: %d bytes were allocated, expected a few times the limit of 1 MiB", length, got)
		}
	}
	post(t, url+"/sample", jsonType, []byte(`{"context": [1, 2]}`)).samples(t, "afterwards")
}

// 1,000 clients at once are all answered, each with its own.
func TestThousandClients(t *testing.T) {
	url := start(t, newHandler(t, bindShift(t, gomlxtest.Go(t)), serve.Config{Batches: []int{64, 512}, Queue: 2000, MaxEvents: 100}))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	var answered, refused atomic.Int64
	for i := range 1000 {
		all.Go(func() {
			// Far from each other, so that an answer to another one would show.
			response, err := client.Post(url+"/sample", jsonType, strings.NewReader(fmt.Sprintf(`{"context": [%d, 0], "n": 5, "seed": %d}`, 100*i, i)))
			if err != nil {
				t.Error(err)
				return
			}
			defer response.Body.Close()
			content, err := io.ReadAll(response.Body)
			switch {
			case err != nil:
				t.Error(err)
			case response.StatusCode == http.StatusTooManyRequests:
				refused.Add(1)
			default:
				samples, _ := reply{response.StatusCode, response.Header, content}.samples(t, "one of 1,000")
				for _, x := range samples {
					if d := x[0] - float64(100*i); len(samples) != 5 || d < -20 || d > 20 {
						t.Errorf("client %d got %v", i, samples)
						return
					}
				}
				answered.Add(1)
			}
		})
	}
	all.Wait()
	t.Logf("%d were answered, %d were told to come back", answered.Load(), refused.Load())
	if answered.Load()+refused.Load() != 1000 || answered.Load() < 400 { // 400 fit into the queue
		t.Errorf("%d were answered and %d refused, expected all of 1000, and at least the 400 that fit", answered.Load(), refused.Load())
	}
}

// A client that sends its body slowly is told so, or cut off, after a while.
func TestSlowSender(t *testing.T) {
	h := newHandler(t, bindShift(t, gomlxtest.Go(t)), serve.Config{Batches: []int{8}, Stall: 500 * time.Millisecond})
	url := start(t, h)
	for _, test := range []struct {
		request string
		status  int
	}{
		{"POST /sample HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 20", http.StatusRequestTimeout},
		{"POST /sample HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked", http.StatusRequestTimeout},
		{"POST /sample HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 20", http.StatusUnsupportedMediaType},
		{"GET /healthz HTTP/1.1\r\nContent-Length: 20", http.StatusOK}, // nobody wants its body
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "%s\r\nHost: x\r\n\r\n6\r\n{\"co", test.request)
		reader := bufio.NewReader(conn)
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Errorf("%q: %v", test.request, err)
			continue
		}
		content, _ := io.ReadAll(response.Body)
		if response.StatusCode != test.status {
			t.Errorf("%q: the answer is %d %s, expected %d", test.request, response.StatusCode, content, test.status)
		}
		if test.status == http.StatusRequestTimeout {
			reply{response.StatusCode, response.Header, content}.says(t, "half a body", test.status, "the body didn't come within 500ms")
		}
		if _, err := reader.ReadByte(); err == nil { // it waits for the connection's end
			t.Errorf("%q: the connection goes on", test.request)
		}
	}
}

// zeros are 2000 at once, which cost little to draw.
type zeros struct{}

func (zeros) EventShape() []int { return []int{2000} }

func (zeros) Sample(_ distribution.Random, g *Graph, dtype dtypes.DType, lead ...int) *Node {
	return Zeros(g, shapes.Make(dtype, append(slices.Clone(lead), 2000)...))
}

func (zeros) LogProb(x *Node) *Node { return ReduceSum(x, -1) }

// A client that doesn't take its answer is cut off, and holds up nobody else.
func TestSlowReader(t *testing.T) {
	wide := nami.FlowMatching{
		Field: field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return ZerosLike(x) }},
		Base:  zeros{}, Solver: solver.Euler(1),
	}
	process, err := wide.Bind(gomlxtest.Go(t), model.NewStore(), nil)
	if err != nil {
		t.Fatal(err)
	}
	h := newHandler(t, process, serve.Config{Batches: []int{2000}, Stall: 100 * time.Millisecond})
	url := start(t, h)
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// 16 MB are more than sockets hold.
	fmt.Fprintf(conn, "POST /sample?n=2000 HTTP/1.1\r\nHost: x\r\nAccept: application/x-npy\r\nContent-Length: 0\r\n\r\n")
	if _, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), nil); err != nil { // it has begun
		t.Fatal(err)
	}
	sent := 1.0
	eventually(func() bool {
		sent++
		r, err := send(url+"/sample?n=2", "", nil, "Accept", npyType)
		return err == nil && r.status == http.StatusOK // a busy machine may be late, too
	})
	// Then its request ends, too: cut off, as no other was still waiting.
	eventually(func() bool { return metric(t, h, "nami_requests_total", "/sample") == sent })
	if n := metric(t, h, "nami_requests_total", "499"); n == 0 {
		t.Error("no answer was cut off")
	}
}

// What a client asked for that has left isn't computed.
func TestClientLeaves(t *testing.T) {
	gate := newGate()
	h := newHandler(t, bindShift(t, gomlxtest.Go(t), gate.option()), serve.Config{Batches: []int{4}})
	url := start(t, h)
	release := gate.shut()
	first := make(chan reply, 1)
	go func() {
		r, _ := send(url+"/sample", jsonType, strings.NewReader(`{"context": [1, 2], "n": 4}`))
		first <- r
	}()
	<-gate.entered
	ctx, leave := context.WithCancel(context.Background())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/sample", strings.NewReader(`{"context": [1, 2], "n": 400}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", jsonType)
	left := make(chan error, 1)
	go func() {
		_, err := http.DefaultClient.Do(request)
		left <- err
	}()
	eventually(func() bool { return queued(t, h) == 400 })
	leave()
	<-left
	eventually(func() bool { return queued(t, h) == 0 })
	release()
	if r := <-first; r.status != http.StatusOK {
		t.Errorf("the client that stayed got %d %s", r.status, r.body)
	}
	if n := metric(t, h, "nami_events_dropped_total"); n != 400 {
		t.Errorf("%v events were dropped, expected 400", n)
	}
}

// A server that is told to stop answers what is in flight, takes nothing new, and ends.
func TestGracefulStop(t *testing.T) {
	gate := newGate()
	h := newHandler(t, bindShift(t, gomlxtest.Go(t), gate.option()), serve.Config{Batches: []int{4}, Grace: time.Hour})
	listener, err := serve.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + listener.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(ctx, listener) }()
	eventually(func() bool {
		response, err := http.Get(url + "/readyz")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		_, _ = io.Copy(io.Discard, response.Body)
		return response.StatusCode == http.StatusOK
	})
	release := gate.shut()
	const inFlight = 16
	answers := make(chan reply, inFlight)
	for range inFlight {
		go func() {
			r, err := send(url+"/sample", jsonType, strings.NewReader(`{"context": [1, 2], "n": 3}`))
			if err != nil {
				t.Error(err)
			}
			answers <- r
		}()
	}
	<-gate.entered
	eventually(func() bool { return queued(t, h) >= 3*inFlight-4 })
	stop()
	eventually(func() bool { // its door is shut
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	select {
	case err := <-ended:
		t.Fatalf("it ended with requests in flight: %v", err)
	default:
	}
	release()
	for range inFlight {
		if r := <-answers; r.status != http.StatusOK {
			t.Errorf("an answer is %d %s", r.status, r.body)
		}
	}
	if err := <-ended; err != nil {
		t.Errorf("it ends with %v", err)
	}
}

// A server whose time to stop is over ends all the same, and says so.
func TestStopWithoutTime(t *testing.T) {
	gate := newGate()
	h := newHandler(t, bindShift(t, gomlxtest.Go(t), gate.option()), serve.Config{Batches: []int{4}, Grace: time.Millisecond})
	if err := h.Warm(context.Background()); err != nil {
		t.Fatal(err)
	}
	listener, err := serve.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(ctx, listener) }()
	release := gate.shut()
	go func() {
		_, _ = send("http://"+listener.Addr().String()+"/sample", jsonType, strings.NewReader(`{"context": [1, 2], "n": 9}`))
	}()
	<-gate.entered
	stop()
	time.AfterFunc(100*time.Millisecond, release) // the device can't be stopped in the middle
	gomlxtest.Says(t, "no time", <-ended, "requests in flight: not all was answered within the 1ms")
}

// Listen takes 127.0.0.1 unless it is told otherwise.
func TestListen(t *testing.T) {
	for address, want := range map[string]string{":0": "127.0.0.1", "localhost:0": "127.0.0.1", "0.0.0.0:0": "::"} {
		l, err := serve.Listen(address)
		if err != nil {
			t.Fatal(err)
		}
		host, _, err := net.SplitHostPort(l.Addr().String())
		if err != nil || host != want && !(want == "::" && host == "0.0.0.0") && host != "::1" {
			t.Errorf("%q listens on %s, expected %s", address, host, want)
		}
		l.Close()
	}
	_, err := serve.Listen("8080")
	gomlxtest.Says(t, "no port", err, "expected host:port, such as 127.0.0.1:8080")
}

// Any bytes are answered, with no status but those of the client's mistakes.
func FuzzBody(f *testing.F) {
	f.Add([]byte(`{"context": [1, 2], "n": 3, "seed": 1}`), jsonType)
	f.Add([]byte(`{"context": [[1, 2], [3, 4]]}`), jsonType)
	f.Add(numpy(f, []float32{1, 2}, 2), npyType)
	f.Add(numpyZip(f, map[string][]byte{"context": numpy(f, []float32{1, 2}, 2)}), npzType)
	h, err := serve.NewHandler(bindShift(f, gomlxtest.Go(f)), serve.Config{Batches: []int{8}, MaxEvents: 16})
	if err == nil {
		err = h.Warm(context.Background())
	}
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte, kind string) {
		w := &recorder{header: http.Header{}}
		r, err := http.NewRequest(http.MethodPost, "/sample", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", kind)
		h.ServeHTTP(w, r)
		if w.status != 200 && (w.status < 400 || w.status >= 500) {
			t.Errorf("the status is %d", w.status)
		}
	})
}

// recorder is a http.ResponseWriter without deadlines.
type recorder struct {
	header http.Header
	status int
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return len(b), nil }

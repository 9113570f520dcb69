package serve_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
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

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// What 64 clients get, each of whom asks for 100 events of a network of the usual size with a
// context of its own, as soon as it has its last answer; beside the same sampler in the
// process, in batches of the same sizes. On a busy machine processor time compares better than
// time does; that of the clients is in it. An operation is a request; for 10 minutes:
//
//	go test -run '^$' -bench 'Serve/.*npy' -benchtime 10m ./nami/serve/
func BenchmarkServe(b *testing.B) {
	flow := nami.FlowMatching{
		Field:  field.MLP{EventShape: []int{2}, Hidden: []int{128, 128, 128}, ContextDim: 2},
		Base:   distribution.NewStandardNormal(2),
		Solver: solver.RK4(20),
	}
	const clients, events = 64, 100
	store := model.NewStore()
	backend := gomlxtest.XLA(b)
	if err := nami.Initialize(backend, store, flow.Field, []int{2}, []int{2}, 1); err != nil {
		b.Fatal(err)
	}
	process, err := flow.Bind(backend, store, single(0, 0))
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()

	for _, size := range []int{256, 2048} {
		b.Run(fmt.Sprintf("in process %d", size), func(b *testing.B) {
			contexts := make([]float32, 2*size)
			p, err := process.Rebind(tensors.FromFlatDataAndDimensions(contexts, size, 2))
			if err != nil {
				b.Fatal(err)
			}
			if _, err := p.Sample(ctx); err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			before, done := processor(), 0
			for ; done < b.N*events; done += size {
				if _, err := p.Sample(ctx); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(done)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(1e6*(processor()-before)/float64(done), "cpu-µs/event")
		})
	}

	h := newHandler(b, process, serve.Config{})
	url := start(b, h)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	body := func(npy bool, i int) (string, []byte) {
		x, y := float32(i%17)/10, float32(i%13)/10
		if npy {
			return fmt.Sprintf("?n=%d&seed=%d", events, i), numpy(b, []float32{x, y}, 2)
		}
		return "", fmt.Appendf(nil, `{"context": [%g, %g], "n": %d, "seed": %d}`, x, y, events, i)
	}
	for kind, npy := range map[string]bool{"HTTP json": false, "HTTP npy": true} {
		b.Run(kind, func(b *testing.B) {
			var next atomic.Int64
			var mu sync.Mutex
			var took []time.Duration
			var early int64 // memory after a quarter
			before := processor()
			var all sync.WaitGroup
			for range clients {
				all.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						query, content := body(npy, int(i))
						kind := jsonType
						if npy {
							kind = npyType
						}
						start := time.Now()
						response, err := client.Post(url+"/sample"+query, kind, bytes.NewReader(content))
						if err != nil {
							b.Error(err)
							return
						}
						_, err = io.Copy(io.Discard, response.Body)
						response.Body.Close()
						if err != nil || response.StatusCode != http.StatusOK {
							b.Errorf("the answer is %d (%v)", response.StatusCode, err)
							return
						}
						mu.Lock()
						took = append(took, time.Since(start))
						mu.Unlock()
						if i == int64(b.N+3)/4 {
							atomic.StoreInt64(&early, resident())
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N*events)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(1e6*(processor()-before)/float64(b.N*events), "cpu-µs/event")
			slices.Sort(took)
			if n := len(took); n > 0 {
				b.ReportMetric(took[n/2].Seconds()*1000, "p50-ms")
				b.ReportMetric(took[min(n-1, n*99/100)].Seconds()*1000, "p99-ms")
			}
			b.ReportMetric(float64(resident())/1e6, "RSS-MB")
			b.ReportMetric(float64(resident()-early)/1e6, "RSS-growth-MB")
		})
	}
}

// processor is the seconds of processor time that the process has used, 0 where the system
// doesn't tell.
func processor() float64 {
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	user, err1 := strconv.ParseFloat(fields[11], 64)
	system, err2 := strconv.ParseFloat(fields[12], 64)
	if err1 != nil || err2 != nil {
		return 0
	}
	return (user + system) / 100 // Linux counts in hundredths
}

// resident is how much memory the process has, 0 where the system doesn't tell.
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

//go:build slow && linux

package serve_test

import (
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/serve"

	"github.com/gomlx/compute"
)

// Memory doesn't grow with the number of requests. Were one buffer of an answer kept, 10,000
// requests with 2 KiB each would take 20 MB, and the goroutine of a request as much; the bound
// is half of that.
func TestMemoryIsFlat(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		url := start(t, newHandler(t, bindNetwork(t, backend), serve.Config{Batches: []int{32, 256}}))
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
		defer client.CloseIdleConnections()
		run := func(requests int64) {
			var next atomic.Int64
			var all sync.WaitGroup
			for range 64 {
				all.Go(func() {
					for next.Add(1) <= requests {
						response, err := client.Post(url+"/sample", jsonType, strings.NewReader(`{"context": [1, 2, 3], "n": 128}`))
						if err != nil {
							t.Error(err)
							return
						}
						_, err = io.Copy(io.Discard, response.Body)
						response.Body.Close()
						if err != nil || response.StatusCode != http.StatusOK {
							t.Errorf("the answer is %d (%v)", response.StatusCode, err)
							return
						}
					}
				})
			}
			all.Wait()
			debug.FreeOSMemory()
		}
		run(2_000)
		before := resident()
		for i := range 4 {
			run(2_500)
			t.Logf("after %d requests: %.1f MB", 2_000+2_500*(i+1), float64(resident())/1e6)
		}
		if growth := resident() - before; growth > 10e6 {
			t.Errorf("memory grew by %.1f MB from %.1f", float64(growth)/1e6, float64(before)/1e6)
		}
	})
}

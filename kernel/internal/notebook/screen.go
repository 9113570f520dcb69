package notebook

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// screen prints whole lines from several notebooks at once. On a terminal, and with
// one notebook at a time, a last line that is overwritten shows the running cell.
type screen struct {
	mu   sync.Mutex
	w    io.Writer
	live bool
}

func (s *screen) printf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live {
		fmt.Fprint(s.w, "\r\x1b[K")
	}
	fmt.Fprintf(s.w, format+"\n", args...)
}

// running shows that a cell runs, until the returned function is called.
func (s *screen) running(label string) (stop func()) {
	if !s.live {
		return func() {}
	}
	start := time.Now()
	show := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		fmt.Fprintf(s.w, "\r\x1b[K%s  running  %.0f s", label, time.Since(start).Seconds())
	}
	show()
	done := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				show()
			}
		}
	})
	return func() {
		close(done)
		wait.Wait()
	}
}

package plotting

import (
	"fmt"
	"sync"
	"time"
)

// Live is a drawing that follows a computation, such as the loss while training, without
// holding it up: it is drawn in the background and no more often than asked. Make it with
// [NewLive], call Update as often as you like and Close at the end:
//
//	live := plotting.NewLive("loss", time.Second)
//	for step := range steps {
//		...
//		live.Update(func() plotting.Drawing { return plotting.Line([]plotting.Series{{Values: losses}}) })
//	}
//	err := live.Close()
type Live struct {
	id    string
	every time.Duration

	mu      sync.Mutex
	drawing sync.WaitGroup
	busy    bool
	next    time.Time
	// pending is what was not drawn yet.
	pending func() Drawing
	err     error
}

// NewLive returns a live drawing with an id, as for [ShowLive], that is drawn once in a
// given time at most; 0 stands for a second.
func NewLive(id string, every time.Duration) *Live {
	l := &Live{id: id, every: every}
	if every == 0 {
		l.every = time.Second
	}
	if !liveID.MatchString(id) {
		l.err = fmt.Errorf("plotting.NewLive: id %q: give letters, digits, - and _ alone, such as \"loss\"", id)
	} else if every < 0 {
		l.err = fmt.Errorf("plotting.NewLive: every %v: give a positive time, or 0 for a second", every)
	}
	return l
}

// Update draws again if it is time and the last drawing is done. what is called before Update
// returns, by Close, or not at all, so it may use what the caller changes between calls; only
// rendering goes on in the background. After an error nothing more is drawn,
// and Close returns the error. It may be called from several goroutines.
func (l *Live) Update(what func() Drawing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	l.pending = what
	if l.busy || time.Now().Before(l.next) {
		return
	}
	l.pending, l.busy = nil, true
	l.next = time.Now().Add(l.every)
	d := what()
	l.drawing.Go(func() {
		err := ShowLive(l.id, d)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.busy, l.err = false, err
	})
}

// Close waits for what is being drawn, draws the last Update if that was skipped, and
// returns the first error.
func (l *Live) Close() error {
	l.drawing.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil && l.pending != nil {
		l.err = ShowLive(l.id, l.pending())
		l.pending = nil
	}
	return l.err
}

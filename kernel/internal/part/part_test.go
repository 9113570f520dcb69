package part

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// newPart is a part whose maker writes one file, and counts its calls.
func newPart(t *testing.T, inPlace bool) (Part, *int) {
	t.Helper()
	calls := 0
	return Part{
		Title: "making it", Dir: filepath.Join(t.TempDir(), "part-1"), Outputs: []string{"out"}, InPlace: inPlace,
		Make: func(_ context.Context, dir string) error {
			calls++
			return os.WriteFile(filepath.Join(dir, "out"), []byte("whole"), 0o644)
		},
	}, &calls
}

func bothWays(t *testing.T, f func(t *testing.T, inPlace bool)) {
	t.Run("renamed", func(t *testing.T) { f(t, false) })
	t.Run("in place", func(t *testing.T) { f(t, true) })
}

func TestEnsureMakesOnce(t *testing.T) {
	bothWays(t, func(t *testing.T, inPlace bool) {
		p, calls := newPart(t, inPlace)
		var log bytes.Buffer
		for range 2 {
			if err := p.Ensure(t.Context(), &log); err != nil {
				t.Fatal(err)
			}
		}
		if *calls != 1 || !p.Ready() {
			t.Errorf("it was made %d times, ready: %v", *calls, p.Ready())
		}
		if lines := strings.Count(log.String(), "\n"); lines != 2 {
			t.Errorf("the log has %d lines, expected 2: that it begins and that it's done:\n%s", lines, log.String())
		}
	})
}

func TestEnsureMendsWhatIsMissing(t *testing.T) {
	bothWays(t, func(t *testing.T, inPlace bool) {
		p, calls := newPart(t, inPlace)
		for _, lost := range []string{"", "out", Stamp} {
			if lost != "" {
				if err := os.Remove(filepath.Join(p.Dir, lost)); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.Ensure(t.Context(), io.Discard); err != nil {
				t.Fatal(err)
			}
		}
		if *calls != 3 {
			t.Errorf("it was made %d times, expected 3", *calls)
		}
		// A link whose target went away is as good as missing.
		out := filepath.Join(p.Dir, "out")
		if err := errors.Join(os.Remove(out), os.Symlink("/no/such/file", out)); err != nil {
			t.Fatal(err)
		}
		if p.Ready() {
			t.Error("it is ready with a broken link")
		}
	})
}

// TestInterruptedLeavesNothing stops a maker in the middle: by its error, by Ctrl-C,
// and by a kill, which leaves what was written.
func TestInterruptedLeavesNothing(t *testing.T) {
	bothWays(t, func(t *testing.T, inPlace bool) {
		p, calls := newPart(t, inPlace)
		make := p.Make

		full := errors.New("no space left on device")
		p.Make = func(ctx context.Context, dir string) error { return errors.Join(make(ctx, dir), full) }
		if err := p.Ensure(t.Context(), io.Discard); !errors.Is(err, full) || !strings.Contains(err.Error(), p.Title) {
			t.Errorf("the error is %v, expected %v with the part's title", err, full)
		}
		empty(t, filepath.Dir(p.Dir))

		ctx, cancel := context.WithCancel(t.Context())
		p.Make = func(ctx context.Context, dir string) error { cancel(); return make(ctx, dir) }
		if err := p.Ensure(ctx, io.Discard); !errors.Is(err, context.Canceled) {
			t.Errorf("the error is %v, expected that of the context", err)
		}
		empty(t, filepath.Dir(p.Dir))

		for _, dir := range []string{p.Dir, p.Dir + ".partial"} {
			if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "half"), nil, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		if p.Ready() {
			t.Error("what a killed maker left counts as ready")
		}
		p.Make = make
		if err := p.Ensure(t.Context(), io.Discard); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(p.Dir, "half")); err == nil || *calls != 3 {
			t.Errorf("half a part is left in it (%v), or it was made %d times, expected 3", err, *calls)
		}
	})
}

func TestEnsureRefusesWithoutOutput(t *testing.T) {
	p, _ := newPart(t, false)
	p.Make = func(context.Context, string) error { return nil }
	if err := p.Ensure(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), "without out") {
		t.Errorf("the error is %v, expected one that names what is missing", err)
	}
	empty(t, filepath.Dir(p.Dir))
}

func empty(t *testing.T, folder string) {
	t.Helper()
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 0 {
		t.Errorf("%v, %v is left in %s", left, err, folder)
	}
}

func TestLock(t *testing.T) {
	cache := t.TempDir()
	unlock, err := Lock(t.Context(), cache, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waiting := &signalled{c: make(chan struct{})}
	second := make(chan error, 1)
	go func() {
		_, err := Lock(ctx, cache, waiting)
		second <- err
	}()
	<-waiting.c
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("the waiting one got %v, expected the context's end", err)
	}
	unlock()
	unlock, err = Lock(t.Context(), cache, io.Discard)
	if err != nil {
		t.Fatalf("it stays locked: %v", err)
	}
	unlock()
}

// signalled closes a channel when something is written to it.
type signalled struct{ c chan struct{} }

func (s *signalled) Write(p []byte) (int, error) {
	close(s.c)
	return len(p), nil
}

// Package part makes the parts of an environment whole or not at all.
package part

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/nami-flow/go-nami/kernel/internal/place"

	"github.com/gofrs/flock"
)

// Stamp is the file that says that a part's folder is complete. It is written last.
const Stamp = ".complete"

// A Part is a folder that is made once for each content of its key, which is in its
// name: another key is another folder, and both can be in use.
type Part struct {
	Title   string   // for the reader: what making it does
	Dir     string   // the folder
	Outputs []string // files below the folder without which it isn't complete
	InPlace bool     // it can't be moved once made
	Make    func(ctx context.Context, dir string) error
}

// Ready says whether the part is complete.
func (p Part) Ready() bool {
	for _, name := range append([]string{Stamp}, p.Outputs...) {
		if !place.Exists(filepath.Join(p.Dir, name)) {
			return false
		}
	}
	return true
}

// Ensure makes the part if it isn't complete, and says so in log. It is made beside
// its place and then renamed, or in place with the stamp last; an interruption leaves
// nothing that looks complete, and what it left is removed by the next call.
func (p Part) Ensure(ctx context.Context, log io.Writer) error {
	if p.Ready() {
		return nil
	}
	start := time.Now()
	fmt.Fprintf(log, "%s …\n", p.Title)
	if err := p.make(ctx); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%s: %w", p.Title, err)
	}
	fmt.Fprintf(log, "%s: done in %.1f s\n", p.Title, time.Since(start).Seconds())
	return nil
}

func (p Part) make(ctx context.Context) (err error) {
	dir := p.Dir
	if !p.InPlace {
		dir += ".partial" // the lock keeps others off it
	}
	for _, old := range []string{p.Dir, dir} {
		if err := os.RemoveAll(old); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if err := p.Make(ctx, dir); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, name := range p.Outputs {
		if !place.Exists(filepath.Join(dir, name)) {
			return fmt.Errorf("it was made without %s", name)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, Stamp), nil, 0o644); err != nil {
		return err
	}
	if p.InPlace {
		return nil
	}
	return os.Rename(dir, p.Dir)
}

// Lock waits until nobody else makes parts below cache, or ctx ends. It returns what
// lets them again.
func Lock(ctx context.Context, cache string, log io.Writer) (unlock func(), err error) {
	lock := flock.New(filepath.Join(cache, "lock"))
	held, err := lock.TryLock()
	if err == nil && !held {
		fmt.Fprintf(log, "waiting for another installation into %s …\n", cache)
		held, err = lock.TryLockContext(ctx, 100*time.Millisecond)
	}
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, fmt.Errorf("the cache folder %s can't be locked: %w", cache, err)
	case !held:
		return nil, fmt.Errorf("the cache folder %s can't be locked", cache)
	}
	return func() { _ = lock.Unlock() }, nil // our end unlocks it in any case
}

package gomlx

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// NoBackend says what is wrong with a nil backend.
const NoBackend = "the backend is nil: open one with nami.OpenBackend"

// Try runs f and returns its error, or what it panicked with as one: GoMLX's graph
// functions panic with errors, and here and there with strings. If the panic passed through
// code that is neither GoMLX's nor nami's, such as a field of the user's, the error ends with
// the place there.
func Try(f func() error) (err error) {
	defer func() {
		p := recover()
		switch cause := p.(type) {
		case nil:
			return
		case error:
			err = cause
		default:
			err = fmt.Errorf("%v", p)
		}
		var known located
		if at := usersLine(); at != "" && !errors.As(err, &known) {
			err = located{err, at}
		}
	}()
	return f()
}

// Guard runs code of the user's, which errors call what. A panic of it is an error, a
// [Panicked].
func Guard(what string, f func() error) error {
	returned := false
	err := Try(func() error {
		err := f()
		returned = true
		return err
	})
	if !returned {
		return Panicked{what, err}
	}
	return err
}

// Panicked is the error that [Guard] makes of a panic.
type Panicked struct {
	what  string
	cause error // what it panicked with, and where
}

// Error says what panicked, with what, and where.
func (p Panicked) Error() string { return fmt.Sprintf("%s panicked: %v", p.what, p.cause) }

// Unwrap is what it panicked with, if that was an error.
func (p Panicked) Unwrap() error { return p.cause }

// located is an error with the place in the user's code that it came from.
type located struct {
	error
	at string
}

// Error is the error, and the place.
func (e located) Error() string { return fmt.Sprintf("%v (at %s)", e.error, e.at) }

// Unwrap is the error without the place.
func (e located) Unwrap() error { return e.error }

// usersLine is the innermost place outside GoMLX and nami that a panic passed on its way to
// Try, whose deferred function calls this; empty if there is none.
func usersLine() string {
	pcs := make([]uintptr, 256)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		frame, more := frames.Next()
		switch {
		case strings.HasSuffix(frame.Function, "/internal/gomlx.Try"):
			return ""
		case isUsers(frame.Function):
			return fmt.Sprintf("%s:%d", filepath.Join(filepath.Base(filepath.Dir(frame.File)), filepath.Base(frame.File)), frame.Line)
		}
		if !more {
			return ""
		}
	}
}

// isUsers is true for a function that belongs neither to Go, nor to GoMLX or nami. Their
// tests stand for users.
func isUsers(function string) bool {
	pkg := function[strings.LastIndex(function, "/")+1:]
	if strings.Contains(pkg, "_test.") {
		return true
	}
	for _, ours := range []string{"github.com/gomlx/", "github.com/nami-flow/go-nami/nami", "runtime.", "reflect.", "slices.", "sync.", "iter.", "fmt.", "errors.", "github.com/pkg/errors"} {
		if strings.HasPrefix(function, ours) {
			return false
		}
	}
	return function != ""
}

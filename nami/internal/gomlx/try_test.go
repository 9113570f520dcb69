package gomlx_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	. "github.com/gomlx/gomlx/core/graph"
)

// line is the number of the line that calls it.
func line() int {
	_, _, n, _ := runtime.Caller(1)
	return n
}

// What graph code panics with is an error that ends with the line of the user's code, and
// not with one that only called Try.
func TestTryTellsTheLine(t *testing.T) {
	backend := gomlxtest.Go(t)
	g := NewGraph(backend, "try")
	defer g.Finalize()
	a, b := Const(g, []float32{1, 2}), Const(g, []float32{1, 2, 3})
	var at int
	err := gomlx.Try(func() error {
		at = line() + 1
		Add(a, b)
		return nil
	})
	if want := fmt.Sprintf("(at gomlx/try_test.go:%d)", at); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("the error is %v, expected it to end with %s", err, want)
	}
	// Once is enough, however often it is passed on.
	again := gomlx.Try(func() error { return gomlx.Try(func() error { panic(err) }) })
	if n := strings.Count(again.Error(), "try_test.go"); n != 1 {
		t.Errorf("the error names %d places: %v", n, again)
	}
	cause := errors.New("a cause")
	if err := gomlx.Try(func() error { return cause }); err != cause {
		t.Errorf("an error that was returned became %v", err)
	}
	if err := gomlx.Try(func() error { panic(cause) }); !errors.Is(err, cause) {
		t.Errorf("the error %v lost its cause", err)
	}
	if err := gomlx.Try(func() error { panic("words") }); err == nil || !strings.HasPrefix(err.Error(), "words") {
		t.Errorf("a string became %v", err)
	}
}

// A panic of the user's is told from an error, by name and place.
func TestGuard(t *testing.T) {
	cause := errors.New("a cause")
	if err := gomlx.Guard("the hook", func() error { return cause }); err != cause {
		t.Errorf("an error that was returned became %v", err)
	}
	if err := gomlx.Guard("the hook", func() error { return nil }); err != nil {
		t.Errorf("nothing became %v", err)
	}
	for want, f := range map[string]func() error{
		"the hook panicked: a cause (at gomlx/try_test.go:":                            func() error { panic(cause) },
		"the hook panicked: words (at gomlx/try_test.go:":                              func() error { panic("words") },
		"the hook panicked: runtime error: index out of range [3] with length 2 (at g": func() error { _ = []int{1, 2}[len("abc")]; return nil },
		"the hook panicked: the inner one panicked: words (at gomlx/try_test.go:": func() error {
			panic(gomlx.Guard("the inner one", func() error { panic("words") }))
		},
	} {
		err := gomlx.Guard("the hook", f)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Count(err.Error(), "(at ") != 1 {
			t.Errorf("the error is %v, expected %s", err, want)
		}
		if !errors.As(err, new(gomlx.Panicked)) {
			t.Errorf("%v isn't known to be a panic", err)
		}
		if strings.Contains(want, "a cause") != errors.Is(err, cause) {
			t.Errorf("the error %v lost its cause", err)
		}
	}
}

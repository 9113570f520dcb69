package gomlx

import "fmt"

// NoBackend says what is wrong with a nil backend.
const NoBackend = "the backend is nil: open one with nami.OpenBackend"

// Try runs f and returns its error, or what it panicked with as one: GoMLX's graph
// functions panic with errors, and here and there with strings.
func Try(f func() error) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case error:
			err = p
		default:
			err = fmt.Errorf("%v", p)
		}
	}()
	return f()
}

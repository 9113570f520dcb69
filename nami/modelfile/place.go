package modelfile

import "fmt"

// located is an error at a place in a description, which is completed on the way out: places of
// what is in order are never put together.
type located struct {
	place string
	err   error
}

func (l *located) Error() string { return l.place + l.err.Error() }

func (l *located) Unwrap() error { return l.err }

// here is an error whose text goes on after the place.
func here(format string, args ...any) error { return &located{err: fmt.Errorf(format, args...)} }

// inside puts what is around a place before it.
func inside(around string, err error) error {
	if l, ok := err.(*located); ok {
		l.place = around + l.place
	}
	return err
}

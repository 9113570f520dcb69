package table

import (
	"errors"
	"strings"
)

// Advised is an error that says what is wrong, and then how a program of Go mends it. Who
// doesn't write the program is told the first alone: see [Plain].
type Advised struct {
	Fact   string
	Advice string // with what stands before it, such as a colon
	Kind   error  // what [errors.Is] knows it by; nil for nothing
}

// Unwrap is the kind.
func (a Advised) Unwrap() error { return a.Kind }

// Error is the fact with the advice.
func (a Advised) Error() string { return a.Fact + a.Advice }

// Plain is the text of an error without advice to programs of Go.
func Plain(err error) string {
	text := err.Error()
	if a := (Advised{}); errors.As(err, &a) {
		text = strings.Replace(text, a.Advice, "", 1)
	}
	return text
}

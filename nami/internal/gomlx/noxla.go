//go:build !cgo || !(linux || darwin) || noxla

package gomlx

import (
	"errors"

	"github.com/gomlx/compute"
)

const xlaLinked = false

func newXLA(string, bool) (compute.Backend, error) {
	return nil, errors.New("XLA isn't in this program")
}

//go:build !cgo || !(linux || darwin)

package main

import "errors"

func probe(string) (report, error) {
	return report{}, errors.New("XLA needs cgo, on Linux or macOS: install a C compiler")
}

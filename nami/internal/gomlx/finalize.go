package gomlx

import "github.com/gomlx/gomlx/core/tensors"

// Finalize frees the tensors that are there and weren't freed before.
func Finalize(ts []*tensors.Tensor) {
	for _, t := range ts {
		if t != nil && t.Ok() {
			t.MustFinalizeAll()
		}
	}
}

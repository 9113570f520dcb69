package gomlx_test

import (
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"github.com/gomlx/gomlx/core/tensors"
)

// Rows may repeat, of either type of number; what can't be read is an error.
func TestRows(t *testing.T) {
	x := tensors.FromValue([][]float32{{0, 1}, {2, 3}, {4, 5}})
	short, err := gomlx.Rows(x, []int32{2, 0, 2, 2})
	if got := gomlxtest.Floats(t, short, err); !slices.Equal(got, []float64{4, 5, 0, 1, 4, 5, 4, 5}) {
		t.Errorf("the rows are %v", got)
	}
	long, err := gomlx.Rows(x, []int{1})
	if got := gomlxtest.Floats(t, long, err); !slices.Equal(got, []float64{2, 3}) {
		t.Errorf("the row is %v", got)
	}
	x.MustFinalizeAll()
	if rows, err := gomlx.Rows(x, []int{1}); err == nil || rows != nil {
		t.Errorf("rows of a tensor that was freed: %v, %v", rows, err)
	}
}

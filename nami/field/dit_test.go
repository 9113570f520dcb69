package field_test

import (
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// The diffusion transformer is a field, and has second derivatives.
func TestDiT(t *testing.T) {
	gomlxtest.RunLong(t, func(t *testing.T, backend compute.Backend) {
		f := field.DiT{EventShape: []int{4, 2, 1}, Width: 4, Heads: 1, Blocks: 1, ContextDim: 2, TimeFeatures: 2}
		if err := field.Check(backend, f, f.EventShape, []int{2}); err != nil {
			t.Error(err)
		}
	})
}

// While its gates are closed a token's value depends on its own patch alone: an image that
// changes in one pixel does so in the patch around it, and nowhere else.
func TestPatches(t *testing.T) {
	const changedRow, changedColumn = 3, 2
	backend := gomlxtest.Go(t)
	f := field.DiT{EventShape: []int{4, 6, 2}, Patch: 2, Width: 8, Blocks: 1}
	out, err := model.CallOnce(backend, model.NewStore(), func(scope *model.Scope, x *Node) *Node {
		return call(f, x, ConstAs(x, 0.3), nil, scope)
	}, twoImages(4, 6, 2, changedRow, changedColumn))
	v := gomlxtest.Floats(t, out, err)
	n := 4 * 6 * 2
	for i := range n {
		row, column := i/12, i/2%6
		if inside := row/2 == changedRow/2 && column/2 == changedColumn/2; inside == (v[i] == v[n+i]) {
			t.Errorf("the value of channel %d in row %d and column %d changes: %v, expected %v", i%2, row, column, v[i] != v[n+i], inside)
		}
	}
}

// twoImages are of one size, and differ in one pixel.
func twoImages(height, width, channels, row, column int) any {
	x := make([][][][]float64, 2)
	for k := range x {
		x[k] = make([][][]float64, height)
		for i := range x[k] {
			x[k][i] = make([][]float64, width)
			for j := range x[k][i] {
				x[k][i][j] = make([]float64, channels)
				for c := range channels {
					x[k][i][j][c] = float64(i*j-c) / 7
				}
			}
		}
	}
	x[1][row][column][0]++
	return x
}

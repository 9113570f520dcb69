package distribution_test

import (
	"math"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/stat/distuv"
)

// The log-density is the sum of gonum's over the event, for events of any rank.
func TestLogProb(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, event := range [][]int{{}, {3}, {2, 3}} {
			x := tensors.FromShape(shapes.Make(dtypes.Float64, append([]int{4}, event...)...))
			x.MustMutableFlatData(func(flat any) {
				for i := range flat.([]float64) {
					flat.([]float64)[i] = math.Sin(float64(7*i)) * 3
				}
			})
			want := make([]float64, 4)
			values := tensors.MustCopyFlatData[float64](x)
			for i, v := range values {
				want[i*4/len(values)] += distuv.UnitNormal.LogProb(v)
			}
			out, err := CallOnce(backend, distribution.NewStandardNormal(event...).LogProb, x)
			if err != nil {
				t.Fatal(err)
			}
			for i, got := range tensors.MustCopyFlatData[float64](out) {
				if math.Abs(got-want[i]) > 1e-12*math.Abs(want[i]) {
					t.Errorf("event %v: log p is %v, expected %v", event, got, want[i])
				}
			}
		}
	})
}

func TestWrongEvent(t *testing.T) {
	_, err := CallOnce(gomlxtest.Go(t), distribution.NewStandardNormal(2).LogProb, tensors.FromShape(shapes.Make(dtypes.Float64, 5, 1)))
	if err == nil || !strings.Contains(err.Error(), "ends in (1), expected events of shape (2)") {
		t.Errorf("got %v, expected an error with both shapes", err)
	}
}

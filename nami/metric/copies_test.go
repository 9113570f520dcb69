package metric_test

import (
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/metric"
)

// P of samples that are new data is at most a tenth in a tenth of all cases: of 300, 30 ± 5.2, further
// away than 4 deviations once in 15,000 seeds; of Closest, whose values are few, in at most as many.
func TestCopiesKeepTheirLevel(t *testing.T) {
	nearer, closest, p := 0, 0, 0.0
	for i := range 300 {
		seed := uint64(3 * i)
		c, err := metric.Copies(random(seed, 40, 2), random(seed+1, 60, 2), random(seed+2, 50, 2))
		if err != nil {
			t.Fatal(err)
		}
		if c.Nearer.P <= 0.1 {
			nearer++
		}
		if c.Closest.P <= 0.1 {
			closest++
		}
		p += c.Closest.P / 300
	}
	if nearer < 9 || nearer > 51 || closest > 51 || closest < 3 {
		t.Errorf("P is at most 0.1 in %d and %d of 300 cases, expected 30", nearer, closest)
	}
}

// Copies are found: all of them by either number, and a few among many by the closest ones. Samples that
// are more spread than the data are not nearer.
func TestCopies(t *testing.T) {
	training, held := random(1, 300, 3), random(2, 300, 3)
	copied := tensors.MustCopyFlatData[float64](random(3, 300, 3))
	copy(copied, tensors.MustCopyFlatData[float64](training)[:30*3]) // a tenth
	few, err := metric.Copies(training, held, tensors.FromFlatDataAndDimensions(copied, 300, 3))
	if err != nil || few.Closest.P > 1e-3 || few.Closest.Value < 0.1 || few.Nearest.Distance[4] != 0 || few.Nearest.Index[4] != 4 {
		t.Errorf("a tenth are copies: %v, %v, %v", few.Nearer, few.Closest, err)
	}
	all, err := metric.Copies(training, held, training)
	if err != nil || all.Nearer.Value != 1 || all.Nearer.P > 1e-9 || all.Closest.Value != 1 || all.Closest.P > 1e-9 {
		t.Errorf("all are copies: %v, %v, %v", all.Nearer, all.Closest, err)
	}
	wide, err := metric.Copies(training, held, shifted(random(4, 300, 3), 3, 3, 3))
	if err != nil || wide.Nearer.Value > 0.2 || wide.Nearer.P < 0.99 || wide.Closest.P < 0.05 {
		t.Errorf("far away: %v, %v, %v", wide.Nearer, wide.Closest, err)
	}
}

// By hand: distances 1 and 3 of samples beside 2 and 4 of held-out events. Three of four pairs are nearer;
// the variance of ranks is (2+2+1)/(12·2·2). Of two samples, one or more come first of all in half of
// all orders.
func TestCopiesByHand(t *testing.T) {
	c, err := metric.Copies(column(0), column(2, 4), column(1, 3))
	if err != nil {
		t.Fatal(err)
	}
	gomlxtest.Close(t, "nearer", c.Nearer.Value, 0.75, 1e-12)
	gomlxtest.Close(t, "its limit", c.Nearer.High, 0.5+1.6448536*0.32274861, 1e-6)
	gomlxtest.Close(t, "closest", c.Closest.Value, 0.5, 1e-12)
	gomlxtest.Close(t, "its P", c.Closest.P, 0.5, 1e-12)
	_, err = metric.Copies(column(0), column(), column(1))
	gomlxtest.Says(t, "nothing held out", err, "metric.Copies: heldOut is empty")
	_, err = metric.Copies(column(0), column(1), random(1, 3, 2))
	gomlxtest.Says(t, "other events", err, "metric.Copies: the samples: metric.Nearest")
}

package metric_test

import (
	"context"
	"errors"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/metric"
)

// Normals a distance δ apart are told apart with a probability of Φ(δ/2) at best: 0.6915 for 1,
// which 400 events of each come to within 0.016 (one standard deviation); what a network of that
// size learns of them loses another hundredth or two.
func TestC2ST(t *testing.T) {
	backend := gomlxtest.XLA(t)
	x := random(1, 400, 2)
	apart, err := metric.C2ST(t.Context(), backend, x, shifted(random(2, 500, 2), 1, 0), 1)
	if err != nil {
		t.Fatal(err)
	}
	if apart.Value < 0.62 || apart.Value > 0.75 || apart.P > 1e-9 {
		t.Errorf("normals a unit apart: %+v, expected about 0.69", apart)
	}
	same, err := metric.C2ST(t.Context(), backend, x, random(3, 400, 2), 1)
	if err != nil {
		t.Fatal(err)
	}
	if same.Value < 0.43 || same.Value > 0.57 || same.P < 1e-3 {
		t.Errorf("the same normal: %+v, expected about a half", same)
	}
}

// Any backend tells a few events apart that are far from each other, and the same seed gives the
// same number.
func TestC2STOnBackends(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		var first metric.Test
		for i := range 2 {
			far, err := metric.C2ST(t.Context(), backend, random(1, 25, 1), shifted(random(2, 20, 1), 8), 1)
			if err != nil {
				t.Fatal(err)
			}
			if far.Value < 0.9 || far.P > 1e-6 {
				t.Errorf("eight deviations apart: %+v", far)
			}
			if i == 0 {
				first = far
			} else if far.Value != first.Value {
				t.Errorf("the same seed gave %v and %v", first.Value, far.Value)
			}
		}
	})
}

// Events whose weights lead from one distribution to the other can't be told from it, though
// without the weights they can.
func TestC2STWithWeights(t *testing.T) {
	backend := gomlxtest.XLA(t)
	x := random(1, 2000, 1)
	flat := tensors.MustCopyFlatData[float64](x)
	heavy := make([]float64, len(flat))
	for i, v := range flat { // twice as likely above 0 as below
		heavy[i] = 1
		if v > 0 {
			heavy[i] = 2
		}
	}
	var above []float64
	for i, v := range tensors.MustCopyFlatData[float64](random(2, 2400, 1)) {
		if v > 0 || i%2 == 0 {
			above = append(above, v)
		}
	}
	y := tensors.FromFlatDataAndDimensions(above, len(above), 1)
	with, err := metric.C2ST(t.Context(), backend, x, y, 1, metric.Weights(tensors.FromFlatDataAndDimensions(heavy, len(heavy))))
	if err != nil {
		t.Fatal(err)
	}
	without, err := metric.C2ST(t.Context(), backend, x, y, 1)
	if err != nil {
		t.Fatal(err)
	}
	if with.P < 1e-3 || without.P > 1e-6 {
		t.Errorf("with weights %+v, without %+v: expected a half, and 0.58", with, without)
	}
}

func TestC2STMisuse(t *testing.T) {
	backend := gomlxtest.Go(t)
	_, err := metric.C2ST(t.Context(), backend, random(1, 4, 2), random(1, 9, 2), 1)
	gomlxtest.Says(t, "four events", err, "4 and 9 events: 5 folds need at least as many of each")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	_, err = metric.C2ST(ctx, backend, random(1, 9, 2), random(2, 9, 2), 1)
	gomlxtest.Says(t, "cancelled", err, "epoch 1: enough")
}

//go:build slow

package main

import (
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami"
)

// Losses before any step and after 10 are those of programs in PyTorch and JAX for the same task.
func TestTrainingAsOthers(t *testing.T) {
	for name, c := range map[string]struct {
		training
		want []float64
	}{
		"A": {trainSmall, []float64{1.96576, 1.93389}},
		"B": {trainLarge, []float64{2.05183, 1.84244}},
		"J": {trainUNet, []float64{2.10016, 1.54928}},
	} {
		for _, config := range []string{"xla", "go"} {
			if config == "go" && name != "A" {
				continue // half a minute each
			}
			t.Run(name+"/"+config, func(t *testing.T) {
				backend, err := nami.OpenBackend(config)
				if err != nil {
					t.Fatal(err)
				}
				got, err := c.check(backend, c.batch())
				if err != nil {
					t.Fatal(err)
				}
				for i := range c.want {
					if !(math.Abs(got[i]/c.want[i]-1) < 1e-4) {
						t.Errorf("the losses are %v, expected %v", got, c.want)
						break
					}
				}
			})
		}
	}
}

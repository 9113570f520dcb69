//go:build linux || darwin

package train_test

import (
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/disktest"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/gomlx/ml/model"
)

// A disk that fills up while a checkpoint is written is an error, and the checkpoint before
// stays.
func TestFullDisk(t *testing.T) {
	steps := func(n int) func(path string) error {
		return func(path string) error {
			_, err := fit(gomlxtest.Go(t), model.NewStore(), train.Steps(n), train.Checkpoint(path))
			return err
		}
	}
	disktest.Full(t, steps(5), steps(10), func(path string) {
		if _, err := train.Load(model.NewStore(), path); err != nil {
			t.Errorf("the checkpoint before is gone: %v", err)
		}
	})
}

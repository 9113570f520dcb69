//go:build linux || darwin

package train_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/gomlx/ml/model"
)

// A disk that fills up while a checkpoint is written is an error that names the file, and
// the checkpoint before stays. A limit on the size of files stands in for the disk: the
// test runs itself again under it.
func TestFullDisk(t *testing.T) {
	folder := os.Getenv("NAMI_TEST_FULL_DISK")
	if folder == "" {
		folder = filepath.Join(t.TempDir(), "run")
		if _, err := fit(gomlxtest.Go(t), model.NewStore(), train.Steps(5), train.Checkpoint(folder)); err != nil {
			t.Fatal(err)
		}
		command := exec.Command(os.Args[0], "-test.run=^TestFullDisk$", "-test.v")
		command.Env = append(os.Environ(), "NAMI_TEST_FULL_DISK="+folder)
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("under the limit: %v\n%s", err, out)
		}
		if _, err := train.Load(model.NewStore(), folder); err != nil {
			t.Errorf("the checkpoint before is gone: %v", err)
		}
		files, err := os.ReadDir(folder)
		if err != nil || len(files) != 1 {
			t.Errorf("the folder holds %v (%v), expected the first checkpoint alone", files, err)
		}
		return
	}
	limit := syscall.Rlimit{Cur: 512, Max: 512}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	_, err := fit(gomlxtest.Go(t), model.NewStore(), train.Steps(10), train.Checkpoint(folder))
	if !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), folder) {
		t.Errorf("got %v, expected an error that names the folder", err)
	}
}

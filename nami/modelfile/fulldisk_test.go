//go:build linux || darwin

package modelfile_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/disktest"
	"github.com/nami-flow/go-nami/nami/modelfile"
)

// A disk that fills up while a model is saved is an error, and the file that was there stays.
func TestFullDisk(t *testing.T) {
	f := whole(t)
	save := func(path string) error { return modelfile.Save(path, f) }
	disktest.Full(t, save, func(path string) error {
		f.Notes = "another"
		return save(path)
	}, func(path string) {
		var first bytes.Buffer
		if err := f.Write(&first); err != nil {
			t.Fatal(err)
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, first.Bytes()) {
			t.Errorf("the file before is gone, or another (%v)", err)
		}
	})
}

package modelfile

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/nami-flow/go-nami/nami/internal/checkpoint"

	"github.com/google/renameio/v2/maybe"
)

// Save writes a model's file. It replaces what is there at once or, where the disk is full for
// instance, not at all. Before it writes, it makes sure that the file can be loaded: that the
// model can be described, that the weights in Store are those of the model, as far as the store
// knows what they were trained as, and that all are finite.
func Save(path string, f File) error {
	if path == "" {
		return errors.New("modelfile.Save: the path is empty: expected the name of a file, such as model.safetensors")
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("modelfile.Save: %s is a folder: expected the name of a file, such as model.safetensors", path)
	}
	file, err := f.encode()
	if err != nil {
		return fmt.Errorf("modelfile.Save: %w", err)
	}
	if err := maybe.WriteFile(path, file, 0o644); err != nil {
		return fmt.Errorf("modelfile.Save: %s can't be written: %w; what was there is untouched", path, err)
	}
	return nil
}

// Write writes a model's file to w, after it has checked the model as [Save] does.
func (f File) Write(w io.Writer) error {
	file, err := f.encode()
	if err != nil {
		return fmt.Errorf("modelfile.File.Write: %w", err)
	}
	_, err = w.Write(file)
	return err
}

// keptBy marks files that Save or Write made: they belong to no run of training.
var keptBy = map[string]string{"kept by": "modelfile.Save"}

func (f File) encode() ([]byte, error) {
	f, err := f.chosen()
	if err != nil {
		return nil, err
	}
	text, err := f.text()
	if err != nil {
		return nil, err
	}
	bad, err := checkpoint.NonFinite(f.Store)
	if err != nil {
		return nil, err
	}
	if bad != "" {
		return nil, errors.New(bad)
	}
	c := &checkpoint.Checkpoint{About: checkpoint.About{Identity: keptBy}, Model: text}
	if err := c.Collect(f.Store, checkpoint.ModelPaths(f.Store)); err != nil {
		return nil, err
	}
	return c.Encode()
}

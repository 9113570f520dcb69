package modelfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nami-flow/go-nami/nami/internal/checkpoint"
	"github.com/nami-flow/go-nami/nami/internal/safetensors"
)

// Load reads a model: from a file that [Save] made, from a checkpoint of [train.Fit] with
// [train.Describe], or from a folder of such checkpoints, of which it takes the newest. A name
// that isn't there is looked for below $NAMI_STATE, where checkpoints are if that is set.
//
// which, of which there is at most one, names the weights: a moving average, or train.Best;
// without it they are the last ones. A name that isn't there is an error that lists those that
// are.
//
// Loading a file runs nothing of it, reads nothing else, and takes no memory that its own length
// doesn't bear out. What isn't as it should be is an error that says what: a file that was cut off
// or changed, that a newer nami or another program made, that has a part which isn't registered
// (see [Register]), or whose weights aren't those of the model that it describes.
func Load(path string, which ...string) (*File, error) {
	name, err := only(which)
	if err != nil {
		return nil, fmt.Errorf("modelfile.Load: %w", err)
	}
	if path == "" {
		return nil, errors.New("modelfile.Load: the path is empty: expected the name of a file, or of a checkpoint")
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if below := checkpoint.Folder(path); below != path {
			if _, err := os.Stat(below); err == nil {
				path = below
			}
		}
	}
	f, err := fromPath(path, name)
	if err != nil {
		return nil, fmt.Errorf("modelfile.Load: %w", err)
	}
	return f, nil
}

func fromPath(path, which string) (*File, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		where := ""
		if folder, err := os.Getwd(); err == nil && !filepath.IsAbs(path) {
			where = "; the current folder is " + folder
		}
		return nil, fmt.Errorf("there is no file and no folder %s: expected a model's file, or the name of a checkpoint%s", path, where)
	case err != nil:
		return nil, err
	case info.IsDir():
		c, err := checkpoint.Find(path)
		if err != nil {
			return nil, err
		}
		f, err := loaded(c, which)
		if err != nil {
			return nil, fmt.Errorf("the checkpoint in %s: %w", path, err)
		}
		return f, nil
	}
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return decode(path, file, which)
}

// LoadFS reads a model from a file of a file system, such as one that is embedded in the
// program, as [Load] does.
func LoadFS(fsys fs.FS, name string, which ...string) (*File, error) {
	weights, err := only(which)
	if err != nil {
		return nil, fmt.Errorf("modelfile.LoadFS: %w", err)
	}
	if fsys == nil {
		return nil, errors.New("modelfile.LoadFS: the file system is nil")
	}
	info, err := fs.Stat(fsys, name)
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder: expected a file in it", name)
	}
	var file []byte
	if err == nil {
		file, err = fs.ReadFile(fsys, name)
	}
	var f *File
	if err == nil {
		f, err = decode(name, file, weights)
	}
	if err != nil {
		return nil, fmt.Errorf("modelfile.LoadFS: %w", err)
	}
	return f, nil
}

// Read reads a model from r, to its end, as [Load] does.
func Read(r io.Reader, which ...string) (*File, error) {
	name, err := only(which)
	if err != nil {
		return nil, fmt.Errorf("modelfile.Read: %w", err)
	}
	if r == nil {
		return nil, errors.New("modelfile.Read: the reader is nil")
	}
	file, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("modelfile.Read: %w", err)
	}
	f, err := decode("the file", file, name)
	if err != nil {
		return nil, fmt.Errorf("modelfile.Read: %w", err)
	}
	return f, nil
}

// only is the name of the weights that are asked for, of which there is at most one.
func only(which []string) (string, error) {
	switch {
	case len(which) > 1:
		return "", fmt.Errorf("%d names of weights, %v, are asked for: a store holds one kind", len(which), which)
	case len(which) == 1 && which[0] == "":
		return "", errors.New("the name of the weights is empty: leave it out for the last ones")
	case len(which) == 1:
		return which[0], nil
	}
	return "", nil
}

// decode makes a model of a file's bytes. name is that of the file, for errors.
func decode(name string, file []byte, which string) (*File, error) {
	c, err := checkpoint.Decode(file)
	switch {
	case errors.Is(err, safetensors.ErrDamaged):
		err = fmt.Errorf("%w: copy it again from where it is whole", err)
	case errors.Is(err, safetensors.ErrFormat):
		err = fmt.Errorf("it isn't a model of nami's: %s", seems(file))
	case errors.Is(err, checkpoint.ErrForeign):
		err = errors.New("it is a safetensors file of another program, without a description of a model: put its tensors into a store by their names in nami's model, and save that by modelfile.Save")
	case errors.Is(err, checkpoint.ErrOlder):
		err = errors.New("it is a checkpoint that an earlier version of nami wrote, without a description of its model: train again")
	}
	var f *File
	if err == nil {
		f, err = loaded(c, which)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

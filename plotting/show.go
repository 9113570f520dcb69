package plotting

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"
	"gonum.org/v1/plot/vg"
)

// Show draws the figure inline in a GoNB notebook. Elsewhere it writes
// figure-001.png, or the next number that is free, to the working folder and prints
// the path to standard error.
func Show(f Figure) error {
	if gonbui.IsNotebook {
		return display(f, "")
	}
	data, err := f.PNG()
	if err != nil {
		return err
	}
	path, err := reserve()
	if err != nil {
		return err
	}
	if err := write(path, data); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return announce(path)
}

// ShowLive draws the figure inline and replaces it in place when it is called again
// with the same id, as while training. Elsewhere than in a notebook it writes id.png
// anew each time and prints its path once. An id has letters, digits, - and _.
func ShowLive(id string, f Figure) error {
	if !liveID.MatchString(id) {
		return fmt.Errorf("plotting.ShowLive: id %q: give letters, digits, - and _ alone, such as \"loss\"", id)
	}
	if gonbui.IsNotebook {
		return display(f, id)
	}
	path := id + ".png"
	if err := f.Save(path); err != nil {
		return err
	}
	if _, known := announced.LoadOrStore(path, true); known {
		return nil
	}
	return announce(path)
}

var (
	liveID    = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	announced sync.Map
)

// reserve makes an empty file with the next free number, so that no two programs in
// the same folder take the same one.
func reserve() (string, error) {
	for i := 1; ; i++ {
		path := fmt.Sprintf("figure-%03d.png", i)
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("plotting.Show: %w", err)
		}
		return path, file.Close()
	}
}

func announce(path string) error {
	full, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("plotting: %w", err)
	}
	_, err = fmt.Fprintln(os.Stderr, "figure:", full)
	return err
}

func display(f Figure, id string) error {
	data, err := displayData(f, id)
	if err != nil {
		return err
	}
	gonbui.SendData(data)
	gonbui.Sync()
	return gonbui.Error()
}

// The metadata travels to the kernel through gob, which must know its types.
var registerMetadata = sync.OnceFunc(func() { gob.Register(map[string]any{}) })

func displayData(f Figure, id string) (*protocol.DisplayData, error) {
	data, err := f.PNG()
	if err != nil {
		return nil, err
	}
	registerMetadata()
	css := func(length vg.Length) int {
		return int(math.Round(float64(length / vg.Inch * cssPixelsPerInch)))
	}
	return &protocol.DisplayData{
		Data:      map[protocol.MIMEType]any{protocol.MIMEImagePNG: data, protocol.MIMETextPlain: f.describe()},
		Metadata:  map[string]any{string(protocol.MIMEImagePNG): map[string]any{"width": css(f.width), "height": css(f.height)}},
		DisplayID: id,
	}, nil
}

// describe is what stands in for the picture where none can be shown.
func (f Figure) describe() string {
	var parts []string
	for p := range f.root.panels() {
		part := p.kind
		if p.title != "" {
			part += ": " + p.title
		}
		if p.empty {
			part += " (no data)"
		}
		if p.note != "" {
			part += " (" + p.note + ")"
		}
		if part != "" && !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	return "Figure. " + strings.Join(parts, "; ")
}

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

// Drawing is a [Figure], an [Animation], [Slides] or a [Table].
type Drawing interface {
	// Err returns what is wrong with the drawing's input, nil if it can be rendered.
	Err() error
	// Save writes the drawing to path, in the format that its extension names.
	Save(path string) error
	// shown is the drawing for a notebook: its forms by MIME type, and their sizes.
	shown() (forms map[protocol.MIMEType]any, sizes map[string]any, err error)
	// extension is that of the file written elsewhere.
	extension() string
}

// Show draws inline in a GoNB notebook. Elsewhere it writes figure-001.png, or the next
// number that is free, to the working folder and prints the path to standard error; slides
// are written as .html and a table as .md. With the environment variable NAMI_THEME=dark,
// which a notebook sets by %env NAMI_THEME dark, figures are drawn in dark style.
func Show(d Drawing) error {
	if err := check("Show", d); err != nil {
		return err
	}
	d = themed(d)
	if gonbui.IsNotebook {
		return display(d, "")
	}
	path, err := reserve(d.extension())
	if err != nil {
		return err
	}
	if err := d.Save(path); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return announce(path)
}

// ShowLive draws inline and replaces what it drew when it is called again with the same
// id, as while training; see [Live] for one that doesn't wait. Outside a notebook it writes
// id.png, or .html or .md, again each time, and prints its path once. An id has letters,
// digits, - and _.
func ShowLive(id string, d Drawing) error {
	if !liveID.MatchString(id) {
		return fmt.Errorf("plotting.ShowLive: id %q: give letters, digits, - and _ alone, such as \"loss\"", id)
	}
	if err := check("ShowLive", d); err != nil {
		return err
	}
	d = themed(d)
	if gonbui.IsNotebook {
		return display(d, id)
	}
	path := id + d.extension()
	if err := d.Save(path); err != nil {
		return err
	}
	if _, known := announced.LoadOrStore(path, true); known {
		return nil
	}
	return announce(path)
}

func check(name string, d Drawing) error {
	if d == nil {
		return fmt.Errorf("plotting.%s: nothing to draw: give a Figure, an Animation, Slides or a Table", name)
	}
	return d.Err()
}

func themed(d Drawing) Drawing {
	if os.Getenv("NAMI_THEME") != "dark" {
		return d
	}
	switch d := d.(type) {
	case Figure:
		return d.Dark()
	case Animation:
		return d.Dark()
	case Slides:
		return d.Dark()
	}
	return d
}

var (
	liveID    = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	announced sync.Map
)

// reserve makes an empty file with the next free number, so that no two programs in
// the same folder take the same one.
func reserve(extension string) (string, error) {
	for i := 1; ; i++ {
		path := fmt.Sprintf("figure-%03d%s", i, extension)
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

func display(d Drawing, id string) error {
	data, err := displayData(d, id)
	if err != nil {
		return err
	}
	gonbui.SendData(data)
	gonbui.Sync()
	return gonbui.Error()
}

// The metadata travels to the kernel through gob, which must know its types.
var registerMetadata = sync.OnceFunc(func() { gob.Register(map[string]any{}) })

func displayData(d Drawing, id string) (*protocol.DisplayData, error) {
	forms, sizes, err := d.shown()
	if err != nil {
		return nil, err
	}
	registerMetadata()
	return &protocol.DisplayData{Data: forms, Metadata: sizes, DisplayID: id}, nil
}

// picture is what a notebook shows of a PNG of a size in points.
func picture(png []byte, text string, width, height vg.Length) (map[protocol.MIMEType]any, map[string]any) {
	css := func(length vg.Length) int {
		return int(math.Round(float64(length / vg.Inch * cssPixelsPerInch)))
	}
	return map[protocol.MIMEType]any{protocol.MIMEImagePNG: png, protocol.MIMETextPlain: text},
		map[string]any{string(protocol.MIMEImagePNG): map[string]any{"width": css(width), "height": css(height)}}
}

func (Figure) extension() string    { return ".png" }
func (Animation) extension() string { return ".png" }
func (Slides) extension() string    { return ".html" }
func (Table) extension() string     { return ".md" }

// mostInline is the width in pixels of a figure inline: more than notebooks and pages show.
const mostInline = 2000

func (f Figure) shown() (map[protocol.MIMEType]any, map[string]any, error) {
	inline := f
	if inline.perInch == 0 {
		inline.perInch = min(pixelsPerInch, max(cssPixelsPerInch, int(mostInline/(f.width/vg.Inch))))
	}
	png, err := inline.PNG()
	if err != nil {
		return nil, nil, err
	}
	forms, sizes := picture(png, f.describe(), f.width, f.height)
	return forms, sizes, nil
}

func (a Animation) shown() (map[protocol.MIMEType]any, map[string]any, error) {
	png, err := a.PNG()
	if err != nil {
		return nil, nil, err
	}
	last := a.Frames[len(a.Frames)-1]
	text := fmt.Sprintf("Animation of %d frames. The last: %s", len(a.Frames), last.describe())
	forms, sizes := picture(png, text, last.width, last.height)
	return forms, sizes, nil
}

func (s Slides) shown() (map[protocol.MIMEType]any, map[string]any, error) {
	inHTML, err := s.HTML()
	if err != nil {
		return nil, nil, err
	}
	still, err := s.still()
	if err != nil {
		return nil, nil, err
	}
	forms, sizes, err := still.shown()
	if err != nil {
		return nil, nil, err
	}
	forms[protocol.MIMETextHTML] = inHTML
	forms[protocol.MIMETextPlain] = fmt.Sprintf("%d figures by %s: %s. The first: %s", len(s.choices), s.label, strings.Join(s.choices, ", "), s.figures[0].describe())
	return forms, sizes, nil
}

func (t Table) shown() (map[protocol.MIMEType]any, map[string]any, error) {
	inHTML, err := t.HTML()
	if err != nil {
		return nil, nil, err
	}
	plain, err := t.Markdown()
	if err != nil {
		return nil, nil, err
	}
	return map[protocol.MIMEType]any{protocol.MIMETextHTML: inHTML, protocol.MIMETextPlain: plain}, nil, nil
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
		if note := p.said(); note != "" {
			part += " (" + note + ")"
		}
		if part != "" && !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	return "Figure. " + strings.Join(parts, "; ")
}

package plotting

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// pixelsPerInch is the default resolution of a PNG: twice that of a CSS pixel, so that it
// is sharp on the screens of today.
const (
	pixelsPerInch    = 192
	cssPixelsPerInch = 96
)

// PNG returns the figure as a PNG, at 192 pixels per inch unless [Figure.Resolution] says
// otherwise.
func (f Figure) PNG() ([]byte, error) {
	img, err := f.image()
	if err != nil {
		return nil, err
	}
	return encode(img, f.colours().paper)
}

// near is by how much channels differ, of 255, when two colours can't be told apart; the
// frames of a film stand for a moment and may be coarser.
const near, nearInFilm = 4, 8

// leastVisible is the mean square error, in levels of 255, up to which a palette is good
// enough.
const leastVisible = 6

// encode writes a PNG of 256 colours where that loses nothing visible, which takes a third
// of the bytes, and else one of all colours.
func encode(img *image.RGBA, paper color.NRGBA) ([]byte, error) {
	var picture image.Image = img
	if paletted, square := newQuantiser([]*image.RGBA{img}, paper, near).convert(img); square <= leastVisible {
		picture = paletted
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		return nil, fmt.Errorf("plotting: encoding the PNG: %w", err)
	}
	return out.Bytes(), nil
}

func (f Figure) image() (*image.RGBA, error) {
	if err := f.Err(); err != nil {
		return nil, err
	}
	canvas := vgimg.NewWith(vgimg.UseWH(f.width, f.height), vgimg.UseDPI(f.resolution()), vgimg.UseBackgroundColor(f.colours().paper))
	f.draw(draw.New(canvas))
	return canvas.Image().(*image.RGBA), nil
}

// SVG returns the figure as an SVG document. Lines and text stay lines and text; many
// points, densities and images are pixels within it, so that its size is bounded.
func (f Figure) SVG() ([]byte, error) {
	if err := f.Err(); err != nil {
		return nil, err
	}
	canvas := vgsvg.NewWith(vgsvg.UseWH(f.width, f.height))
	c := draw.New(canvas)
	c.SetColor(f.colours().paper)
	c.Fill(c.Path())
	f.draw(c)
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return nil, fmt.Errorf("plotting: encoding the SVG: %w", err)
	}
	svg := out.Bytes()
	// Where the font is not installed, one of the same metrics takes its place.
	svg = bytes.ReplaceAll(svg, []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;"))
	svg = bytes.ReplaceAll(svg, []byte("font-family:DejaVu Sans;"), []byte("font-family:DejaVu Sans,sans-serif;"))
	// vgsvg writes PNG and says JPEG.
	return bytes.ReplaceAll(svg, []byte("data:image/jpg;base64,"), []byte("data:image/png;base64,")), nil
}

// Save writes the figure to path, as PNG, SVG or PDF by its extension. The file is replaced
// at once when it is complete, never left half written.
func (f Figure) Save(path string) error {
	var data []byte
	var err error
	switch extension := strings.ToLower(filepath.Ext(path)); extension {
	case ".png":
		data, err = f.PNG()
	case ".svg":
		data, err = f.SVG()
	case ".pdf":
		data, err = f.PDF()
	default:
		return fmt.Errorf("plotting: %q has the extension %q: end the name in .png, .svg or .pdf", path, extension)
	}
	if err != nil {
		return err
	}
	return write(path, data)
}

func write(path string, data []byte) error {
	if err := renameio.WriteFile(path, data, os.FileMode(0o644)); err != nil {
		return fmt.Errorf("plotting: writing the figure: %w", err)
	}
	return nil
}

func (f Figure) draw(c draw.Canvas) {
	l := f.placed
	if l == nil {
		l = arrange(f.page(), f.pixel(), f.root)
	}
	l.draw(f.root, c, f.colours(), float64(f.resolution()))
}

// page is the figure's area within its margins.
func (f Figure) page() vg.Rectangle {
	return vg.Rectangle{Min: vg.Point{X: margin, Y: margin}, Max: vg.Point{X: f.width - margin, Y: f.height - margin}}
}

func (f Figure) pixel() vg.Length { return vg.Length(vg.Inch) / vg.Length(f.resolution()) }

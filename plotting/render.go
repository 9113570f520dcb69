package plotting

import (
	"bytes"
	"fmt"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// pixelsPerInch is the resolution of a PNG: twice that of a CSS pixel, so that it is
// sharp on the screens of today.
const (
	pixelsPerInch    = 192
	cssPixelsPerInch = 96
)

// PNG returns the figure as a PNG at 192 pixels per inch.
func (f Figure) PNG() ([]byte, error) {
	if err := f.Err(); err != nil {
		return nil, err
	}
	canvas := vgimg.NewWith(vgimg.UseWH(f.width, f.height), vgimg.UseDPI(pixelsPerInch), vgimg.UseBackgroundColor(color.White))
	f.draw(draw.New(canvas))
	var out bytes.Buffer
	if err := png.Encode(&out, canvas.Image()); err != nil {
		return nil, fmt.Errorf("plotting: encoding the PNG: %w", err)
	}
	return out.Bytes(), nil
}

// SVG returns the figure as an SVG document. It grows with the number of points, so
// prefer PNG for more than a few thousand.
func (f Figure) SVG() ([]byte, error) {
	if err := f.Err(); err != nil {
		return nil, err
	}
	canvas := vgsvg.NewWith(vgsvg.UseWH(f.width, f.height))
	c := draw.New(canvas)
	c.SetColor(color.White)
	c.Fill(c.Path())
	f.draw(c)
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return nil, fmt.Errorf("plotting: encoding the SVG: %w", err)
	}
	// Where the font is not installed, one of the same metrics takes its place.
	return bytes.ReplaceAll(out.Bytes(), []byte("font-family:Liberation Sans;"),
		[]byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")), nil
}

// Save writes the figure to path, as PNG or SVG by its extension. The file is replaced
// at once when it is complete, never left half written.
func (f Figure) Save(path string) error {
	var data []byte
	var err error
	switch extension := strings.ToLower(filepath.Ext(path)); extension {
	case ".png":
		data, err = f.PNG()
	case ".svg":
		data, err = f.SVG()
	default:
		return fmt.Errorf("plotting: %q has the extension %q: end the name in .png or .svg", path, extension)
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
	c = draw.Crop(c, margin, -margin, margin, -margin)
	tiles := draw.Tiles{Rows: len(f.rows), Cols: len(f.rows[0]), PadX: 14, PadY: 10}
	band := f.band()
	c.Max.Y -= band
	tiles.PadY += band

	plots := make([][]*plot.Plot, len(f.rows))
	for r, row := range f.rows {
		plots[r] = make([]*plot.Plot, len(row))
		for k, p := range row {
			if p != nil {
				plots[r][k] = p.plot()
			}
		}
	}
	if f.shared {
		f.shareRanges(plots)
	}
	canvases := f.fit(plots, tiles, c)
	for r, row := range f.rows {
		_, note := bands(row)
		for k, p := range row {
			if p == nil {
				continue
			}
			plots[r][k].Draw(canvases[r][k])
			inner := plots[r][k].DataCanvas(canvases[r][k])
			at := vg.Point{X: inner.Center().X, Y: inner.Max.Y + 4}
			if p.note != "" {
				inner.FillText(textStyle(noteSize, paleInk, draw.XCenter, draw.YBottom), at, p.note)
			}
			if p.title != "" {
				at.Y += note + 2
				inner.FillText(textStyle(titleSize, ink, draw.XCenter, draw.YBottom), at, p.title)
			}
		}
	}
}

// fit places the panels so that their frames line up, and gives axes of equal aspect
// the ranges that fill their frame. Ranges change tick labels and these the frame, so
// it is done twice.
func (f Figure) fit(plots [][]*plot.Plot, tiles draw.Tiles, c draw.Canvas) [][]draw.Canvas {
	type ranges struct{ x, y span }
	asked := map[*plot.Plot]ranges{}
	for _, row := range plots {
		for _, p := range row {
			if p != nil {
				asked[p] = ranges{span{p.X.Min, p.X.Max}, span{p.Y.Min, p.Y.Max}}
			}
		}
	}
	for range 2 {
		canvases := plot.Align(plots, tiles, c)
		for r, row := range f.rows {
			for k, panel := range row {
				if panel == nil || !panel.equal {
					continue
				}
				p := plots[r][k]
				frame := p.DataCanvas(canvases[r][k]).Size()
				x, y := asked[p].x, asked[p].y
				unit := math.Max((x.hi-x.lo)/float64(frame.X), (y.hi-y.lo)/float64(frame.Y))
				x, y = x.widened(unit*float64(frame.X)), y.widened(unit*float64(frame.Y))
				p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = x.lo, x.hi, y.lo, y.hi
			}
		}
	}
	return plot.Align(plots, tiles, c)
}

func (f Figure) shareRanges(plots [][]*plot.Plot) {
	x, y := nothing(), nothing()
	for r, row := range plots {
		for k, p := range row {
			if p != nil && !f.rows[r][k].empty {
				x = x.union(span{p.X.Min, p.X.Max})
				y = y.union(span{p.Y.Min, p.Y.Max})
			}
		}
	}
	if x.isEmpty() {
		return
	}
	for _, row := range plots {
		for _, p := range row {
			if p != nil {
				p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = x.lo, x.hi, y.lo, y.hi
			}
		}
	}
}

// band is the height above each row of frames for titles and notes.
func (f Figure) band() vg.Length {
	var most vg.Length
	for _, row := range f.rows {
		title, note := bands(row)
		most = max(most, title+note)
	}
	return most
}

// bands are the heights that the titles and the notes of a row of panels take.
func bands(row []*panel) (title, note vg.Length) {
	for _, p := range row {
		if p != nil && p.title != "" {
			title = titleBand
		}
		if p != nil && p.note != "" {
			note = noteBand
		}
	}
	return title, note
}

func (p *panel) plot() *plot.Plot {
	out := plot.New()
	out.BackgroundColor = nil
	out.X.Min, out.X.Max, out.Y.Min, out.Y.Max = p.x.lo, p.x.hi, p.y.lo, p.y.hi
	styleAxis(&out.X, p.xlabel)
	styleAxis(&out.Y, p.ylabel)
	out.X.Tick.Marker, out.Y.Tick.Marker = roundTicks{6}, roundTicks{6}
	if p.xticks != nil {
		out.X.Tick.Marker = p.xticks
	}
	if p.logY {
		out.Y.Scale, out.Y.Tick.Marker = plot.LogScale{}, decadeTicks{}
	}
	if p.bare {
		out.HideAxes()
	}
	out.Add(plotterFunc(func(c draw.Canvas, plt *plot.Plot) {
		x, y := plt.Transforms(&c)
		for _, m := range p.marks {
			m(c, x, y)
		}
		p.decorate(c)
	}))
	return out
}

// plotterFunc is a function as a [plot.Plotter].
type plotterFunc func(draw.Canvas, *plot.Plot)

func (f plotterFunc) Plot(c draw.Canvas, p *plot.Plot) { f(c, p) }

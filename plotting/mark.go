package plotting

import (
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// mark draws on the canvas of a panel's data; x and y place a data value.
type mark func(c draw.Canvas, x, y func(float64) vg.Length)

type legendEntry struct {
	name string
	icon func(c draw.Canvas)
}

func lineIcon(style draw.LineStyle) func(draw.Canvas) {
	return func(c draw.Canvas) { c.StrokeLine2(style, c.Min.X, c.Center().Y, c.Max.X, c.Center().Y) }
}

func boxIcon(fill, edge color.Color) func(draw.Canvas) {
	return func(c draw.Canvas) {
		c.SetColor(fill)
		c.Fill(c.Path())
		outline(c, draw.LineStyle{Color: edge, Width: 1})
	}
}

func outline(c draw.Canvas, style draw.LineStyle) {
	c.SetLineStyle(style)
	c.Stroke(c.Path())
}

// decorate draws what lies above the data: the frame and the legend.
func (p *panel) decorate(c draw.Canvas) {
	if !p.bare {
		outline(c, draw.LineStyle{Color: ink, Width: frameLine})
	}
	if p.empty {
		c.FillText(textStyle(labelSize, paleInk, draw.XCenter, draw.YCenter), c.Center(), "no data")
	}
	if len(p.legend) > 0 {
		drawLegend(c, p.legend)
	}
}

func drawLegend(c draw.Canvas, entries []legendEntry) {
	const line, iconWidth, gap, inset = vg.Length(13), vg.Length(18), vg.Length(5), vg.Length(6)
	style := textStyle(tickSize, ink, draw.XLeft, draw.YCenter)
	width := vg.Length(0)
	for _, e := range entries {
		width = max(width, style.Width(e.name))
	}
	width += iconWidth + gap + 2*inset
	box := draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
		Min: vg.Point{X: c.Max.X - width - 6, Y: c.Max.Y - vg.Length(len(entries))*line - 8 - 6},
		Max: vg.Point{X: c.Max.X - 6, Y: c.Max.Y - 6},
	}}
	box.SetColor(color.NRGBA{255, 255, 255, 215})
	box.Fill(box.Path())
	outline(box, draw.LineStyle{Color: seam, Width: frameLine})
	for i, e := range entries {
		middle := box.Max.Y - 4 - (vg.Length(i)+0.5)*line
		left := box.Min.X + inset
		e.icon(draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: left, Y: middle - 3.5}, Max: vg.Point{X: left + iconWidth, Y: middle + 3.5},
		}})
		c.FillText(style, vg.Point{X: left + iconWidth + gap, Y: middle + 0.5}, e.name)
	}
}

// polyline draws the points within c, cut at its edges.
func polyline(c draw.Canvas, style draw.LineStyle, points []vg.Point) {
	c.StrokeLines(style, c.ClipLinesXY(points)...)
}

// bar fills the part of a rectangle that lies within c.
func bar(c draw.Canvas, fill color.Color, left, right, bottom, top vg.Length) {
	left, right = max(left, c.Min.X), min(right, c.Max.X)
	bottom, top = max(bottom, c.Min.Y), min(top, c.Max.Y)
	if left >= right || bottom >= top {
		return
	}
	c.SetColor(fill)
	c.Fill(vg.Rectangle{Min: vg.Point{X: left, Y: bottom}, Max: vg.Point{X: right, Y: top}}.Path())
}

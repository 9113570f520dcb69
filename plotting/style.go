package plotting

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const (
	titleSize = 11
	labelSize = 10
	tickSize  = 9
	noteSize  = 8
	titleBand = 20.25 // bands and margin are whole pixels at 192 per inch
	noteBand  = 13.5
	frameLine = 0.7
	margin    = 7.5
)

var (
	ink     = color.NRGBA{38, 38, 38, 255}
	paleInk = color.NRGBA{110, 110, 110, 255}
	seam    = color.NRGBA{200, 200, 200, 255}
)

// palette is that of Okabe and Ito (2008), dark colours first.
var palette = []color.NRGBA{
	{0x00, 0x72, 0xB2, 255}, // blue
	{0xD5, 0x5E, 0x00, 255}, // vermilion
	{0x00, 0x9E, 0x73, 255}, // bluish green
	{0xCC, 0x79, 0xA7, 255}, // reddish purple
	{0xE6, 0x9F, 0x00, 255}, // orange
	{0x56, 0xB4, 0xE9, 255}, // sky blue
	{0x00, 0x00, 0x00, 255},
}

func colorOf(i int) color.NRGBA { return palette[i%len(palette)] }

func faint(c color.NRGBA, opacity float64) color.NRGBA {
	c.A = uint8(math.Round(255 * opacity))
	return c
}

func textStyle(size vg.Length, c color.Color, x text.XAlignment, y text.YAlignment) text.Style {
	return text.Style{
		Color:   c,
		Font:    font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, size),
		XAlign:  x,
		YAlign:  y,
		Handler: plot.DefaultTextHandler,
	}
}

func styleAxis(a *plot.Axis, label string) {
	a.Padding = 0
	a.Label.Text = label
	a.Label.Padding = 3
	a.Label.TextStyle.Font = font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, labelSize)
	a.Label.TextStyle.Color = ink
	a.Tick.Label.Font = font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, tickSize)
	a.Tick.Label.Color = ink
	a.Tick.Length = 3.5
	a.Tick.LineStyle = draw.LineStyle{Color: ink, Width: frameLine}
	a.LineStyle.Width = 0 // the frame draws it
}

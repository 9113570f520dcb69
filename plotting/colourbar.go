package plotting

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// colourBar says what values the colours of a panel stand for. It stands at the
// right of the frame.
type colourBar struct {
	shading
	label string
}

const (
	barGap   = vg.Length(6)
	barWidth = vg.Length(9)
)

func (b *colourBar) axis() axis { return axis{label: b.label, over: b.over, log: b.log} }

func (b *colourBar) width(at fit) vg.Length {
	ticks := b.axis().ticksFor(b.over, at.frame.Size().Y, upApart)
	width := barGap + barWidth + tickLength + 2 + widestLabel(ticks, b.over)
	if b.label != "" {
		width += 3 + textStyle(labelSize, nil, draw.XCenter, draw.YTop).FontExtents().Height
	}
	return width
}

func (b *colourBar) draw(s *stage) {
	strip := *s
	strip.Min.X = s.Max.X + barGap
	strip.Max.X = strip.Min.X + barWidth
	strip.x = scale{span{0, 1}, false, strip.Min.X, strip.Max.X}
	strip.y = scale{b.over, b.log, strip.Min.Y, strip.Max.Y}
	strip.raster(func(_, v float64) color.NRGBA { return b.color(v) })
	line := draw.LineStyle{Color: s.look.ink, Width: frameLine}
	outline(strip.Canvas, line)
	beside := textStyle(tickSize, s.look.ink, draw.XLeft, draw.YCenter)
	ticks := b.axis().ticksFor(b.over, s.Size().Y, upApart)
	for _, t := range ticks {
		y := strip.y.at(t.Value)
		s.StrokeLine2(line, strip.Max.X, y, strip.Max.X+tickLength, y)
		s.FillText(beside, vg.Point{X: strip.Max.X + tickLength + 2, Y: y + 0.5}, t.Label)
	}
	style := fitted(textStyle(labelSize, s.look.ink, draw.XCenter, draw.YTop), b.label, s.Size().Y+30)
	style.Rotation = math.Pi / 2
	s.FillText(style, vg.Point{X: strip.Max.X + tickLength + 5 + widestLabel(ticks, b.over), Y: s.Center().Y}, b.label)
}

package plotting

import (
	"fmt"
	"image/color"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// panel is one set of axes and what is drawn within them. It is not changed once a
// figure holds it.
type panel struct {
	kind, title string
	x, y        axis
	aspect      aspect
	// bare panels have neither axes nor a frame.
	bare   bool
	layers []layer
	bar    *colourBar
	// note is what the reader must know about the data, such as values left out.
	note string
	// words stand in or about the panel beside its title and labels.
	words []string
	// empty panels say that there is no data.
	empty bool
}

// axis is the horizontal or vertical axis of a panel.
type axis struct {
	label string
	over  span
	log   bool
	// fixed ranges were asked for: they are kept whatever data there are.
	fixed bool
	// ticks replace round numbers.
	ticks []plot.Tick
	// unlabelled axes leave numbers and label to a neighbour.
	unlabelled bool
}

// cover gives the axis the range of the data with a margin of share on both sides, unless
// its range is fixed.
func (a *axis) cover(data span, share float64) {
	if a.fixed {
		return
	}
	a.over = data.padded(share)
	if a.log {
		a.over = data.logPadded(share)
	}
}

// extend has the axis hold what another does, or only that if there was no data.
func (a *axis) extend(other axis, empty bool) {
	switch {
	case a.fixed:
	case empty:
		a.over = other.over
	default:
		a.over = a.over.union(other.over)
	}
}

// shape is the height of the panel's ranges over their width, within bounds.
func (p *panel) shape(least, most float64) vg.Length {
	return vg.Length(min(most, max(least, (p.y.over.hi-p.y.over.lo)/(p.x.over.hi-p.x.over.lo))))
}

// aspect says how long a unit is on the axes. The zero aspect fills the frame.
type aspect int

const (
	// widened axes have equal units: one shows more than was asked for.
	widened aspect = iota + 1
	// boxed axes have equal units: the frame is made smaller.
	boxed
)

// layer is what one call drew; several are laid over each other by [Overlay].
type layer struct {
	marks []mark
	// legend names what the marks show.
	legend []legendEntry
	// colours is how many of the palette's the layer takes.
	colours int
	// busy are places that the legend had better not cover.
	busy [][2]float64
}

// mark draws data on a stage.
type mark func(s *stage)

// stage is the canvas of a panel's data.
type stage struct {
	draw.Canvas
	x, y    scale
	look    *look
	first   int // the layer's first colour
	perInch float64
}

func (s *stage) color(i int) color.NRGBA { return s.look.color(s.first + i) }

// line is the style of the layer's i-th curve. When the palette has been used up, lines are
// dashed.
func (s *stage) line(i int, width vg.Length) draw.LineStyle {
	style := draw.LineStyle{Color: s.color(i), Width: width}
	if round := (s.first + i) / len(s.look.palette); round > 0 {
		style.Dashes = [][]vg.Length{{6, 2}, {2, 2}, {7, 2, 2, 2}}[(round-1)%3]
	}
	return style
}

func (s *stage) at(x, y float64) vg.Point { return vg.Point{X: s.x.at(x), Y: s.y.at(y)} }

// polyline draws the points, cut at the frame. The rasteriser's time grows with the square
// of a line's length, so that long lines are drawn in pieces.
func (s *stage) polyline(style draw.LineStyle, points []vg.Point) {
	const piece = 50
	overlap := 1 // a whole segment, so that the joint is round
	if _, _, _, alpha := style.Color.RGBA(); alpha < 0xffff {
		overlap = 0 // it would show
	}
	if len(style.Dashes) > 0 || len(points) <= 2*piece {
		s.StrokeLines(style, s.ClipLinesXY(points)...)
		return
	}
	for start := 0; start < len(points)-1; start += piece {
		s.StrokeLines(style, s.ClipLinesXY(points[start:min(len(points), start+piece+1+overlap)])...)
	}
}

// bar fills the part of a rectangle that lies within the frame.
func (s *stage) bar(fill color.Color, left, right, bottom, top vg.Length) {
	left, right = max(left, s.Min.X), min(right, s.Max.X)
	bottom, top = max(bottom, s.Min.Y), min(top, s.Max.Y)
	if left >= right || bottom >= top {
		return
	}
	s.SetColor(fill)
	s.Fill(vg.Rectangle{Min: vg.Point{X: left, Y: bottom}, Max: vg.Point{X: right, Y: top}}.Path())
}

// draw draws the panel where it was fitted.
func (p *panel) draw(c draw.Canvas, at fit, l *look, perInch float64) {
	frame := draw.Canvas{Canvas: c.Canvas, Rectangle: at.frame}
	s := &stage{
		Canvas: frame, look: l, perInch: perInch,
		x: scale{at.x, p.x.log, at.frame.Min.X, at.frame.Max.X},
		y: scale{at.y, p.y.log, at.frame.Min.Y, at.frame.Max.Y},
	}
	for _, one := range p.layers {
		for _, m := range one.marks {
			m(s)
		}
		s.first += one.colours
	}
	if !p.bare {
		outline(frame, draw.LineStyle{Color: l.ink, Width: frameLine})
		p.drawAxes(s, at)
	}
	if p.bar != nil {
		p.bar.draw(s)
	}
	if p.empty {
		frame.FillText(textStyle(labelSize, l.paleInk, draw.XCenter, draw.YCenter), frame.Center(), "no data")
	}
	s.first = 0
	drawLegend(s, p.layers)

	above := vg.Point{X: frame.Center().X, Y: frame.Max.Y + 4}
	room := at.room
	if note := p.said(); note != "" {
		style := fitted(textStyle(noteSize, l.paleInk, draw.XCenter, draw.YBottom), note, room)
		frame.FillText(style, above, note)
	}
	if p.title != "" {
		above.Y += at.notes
		if at.notes > 0 {
			above.Y += 2
		}
		style := fitted(textStyle(titleSize, l.ink, draw.XCenter, draw.YBottom), p.title, room)
		frame.FillText(style, above, p.title)
	}
}

// said is the note above the panel: on its data, and on characters that can't be drawn.
func (p *panel) said() string {
	words := append([]string{p.title, p.x.label, p.y.label}, p.words...)
	for _, t := range slices.Concat(p.x.ticks, p.y.ticks) {
		words = append(words, t.Label)
	}
	for _, l := range p.layers {
		for _, e := range l.legend {
			words = append(words, e.name)
		}
	}
	if p.bar != nil {
		words = append(words, p.bar.label)
	}
	return joined(p.note, lacking(words...))
}

func outline(c draw.Canvas, style draw.LineStyle) {
	c.SetLineStyle(style)
	c.Stroke(c.Path())
}

// leftOut is the note on values that are not drawn.
func leftOut(dropped, total int, what, why string) string {
	if dropped == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d %s %s, left out", dropped, total, what, why)
}

// joined puts notes after each other.
func joined(notes ...string) string {
	return strings.Join(slices.DeleteFunc(notes, func(n string) bool { return n == "" }), "; ")
}

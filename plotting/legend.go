package plotting

import (
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

type legendEntry struct {
	name string
	// icon draws on the canvas of a stage that is the icon's box.
	icon func(s *stage)
}

func lineIcon(style func(s *stage) draw.LineStyle) func(*stage) {
	return func(s *stage) { s.StrokeLine2(style(s), s.Min.X, s.Center().Y, s.Max.X, s.Center().Y) }
}

func boxIcon(i int, opacity float64) func(*stage) {
	return func(s *stage) {
		s.SetColor(faint(s.color(i), opacity))
		s.Fill(s.Path())
		outline(s.Canvas, s.line(i, 1))
	}
}

// Sizes of a legend's parts, in points.
const (
	legendLine  = vg.Length(13)
	iconWidth   = vg.Length(18)
	iconGap     = vg.Length(5)
	legendInset = vg.Length(6)
)

// drawLegend names the layers in the place that covers least of the data.
func drawLegend(s *stage, layers []layer) {
	const apart = vg.Length(6)
	style := legendStyle(s.look)
	entries := named(layers)
	width := vg.Length(0)
	for _, e := range entries {
		width = max(width, style.Width(e.name))
	}
	if len(entries) == 0 {
		return
	}
	// More entries than fit below each other stand in columns.
	rows := max(1, min(len(entries), int((s.Size().Y-2*apart-8)/legendLine)))
	columns := (len(entries) + rows - 1) / rows
	rows = (len(entries) + columns - 1) / columns
	room := (s.Size().X-2*apart-legendInset)/vg.Length(columns) - legendInset - iconWidth - iconGap
	if width > room {
		smaller := max(0.6, room/width)
		style.Font.Size *= smaller
		width = min(width*smaller, max(room, 10))
	}
	step := width + iconWidth + iconGap + legendInset
	size := vg.Point{X: vg.Length(columns)*step + legendInset, Y: vg.Length(rows)*legendLine + 8}
	box := draw.Canvas{Canvas: s.Canvas.Canvas, Rectangle: quietPlace(s, layers, size, apart)}
	box.SetColor(faint(s.look.paper, 0.85))
	box.Fill(box.Path())
	outline(box, draw.LineStyle{Color: s.look.seam, Width: frameLine})
	for i, e := range entries {
		middle := box.Max.Y - 4 - (vg.Length(i%rows)+0.5)*legendLine
		left := box.Min.X + legendInset + vg.Length(i/rows)*step
		e.draw(s, style, vg.Point{X: left, Y: middle}, width)
	}
}

func legendStyle(l *look) text.Style { return textStyle(tickSize, l.ink, draw.XLeft, draw.YCenter) }

// namedEntry is a legend's entry with the first colour of its layer.
type namedEntry struct {
	legendEntry
	first int
}

// named are the entries of all layers.
func named(layers []layer) (entries []namedEntry) {
	first := 0
	for _, l := range layers {
		for _, e := range l.legend {
			entries = append(entries, namedEntry{e, first})
		}
		first += l.colours
	}
	return entries
}

// draw draws the icon from a point on, and the name beside it, no wider than width.
func (e namedEntry) draw(s *stage, style text.Style, from vg.Point, width vg.Length) {
	icon := *s
	icon.first = e.first
	icon.Canvas = draw.Canvas{Canvas: s.Canvas.Canvas, Rectangle: vg.Rectangle{
		Min: vg.Point{X: from.X, Y: from.Y - 3.5}, Max: vg.Point{X: from.X + iconWidth, Y: from.Y + 3.5},
	}}
	e.icon(&icon)
	s.FillText(style, vg.Point{X: from.X + iconWidth + iconGap, Y: from.Y + 0.5}, cut(style, e.name, width))
}

// cut shortens text to a width.
func cut(style text.Style, words string, width vg.Length) string {
	runes := []rune(words)
	for n := len(runes); n > 0 && style.Width(words) > width+0.01; n-- {
		words = string(runes[:n-1]) + "…"
	}
	return words
}

func quietPlace(s *stage, layers []layer, size vg.Point, apart vg.Length) vg.Rectangle {
	var best vg.Rectangle
	fewest := -1
	free := s.Size().Sub(vg.Point{X: size.X + 2*apart, Y: size.Y + 2*apart})
	for _, place := range [][2]vg.Length{{1, 1}, {0, 1}, {1, 0}, {0, 0}, {1, 0.5}, {0, 0.5}, {0.5, 1}, {0.5, 0}} {
		min := vg.Point{X: s.Min.X + apart + place[0]*free.X, Y: s.Min.Y + apart + place[1]*free.Y}
		box := vg.Rectangle{Min: min, Max: vg.Point{X: min.X + size.X, Y: min.Y + size.Y}}
		covered := 0
		for _, l := range layers {
			for _, point := range l.busy {
				at := s.at(point[0], point[1])
				if at.X > box.Min.X-apart && at.X < box.Max.X+apart && at.Y > box.Min.Y-apart && at.Y < box.Max.Y+apart {
					covered++
				}
			}
		}
		if fewest < 0 || covered < fewest {
			best, fewest = box, covered
		}
	}
	return best
}

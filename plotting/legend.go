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

// drawLegend names the layers in the place that covers least of the data.
func drawLegend(s *stage, layers []layer) {
	const line, iconWidth, gap, inset, apart = vg.Length(13), vg.Length(18), vg.Length(5), vg.Length(6), vg.Length(6)
	style := textStyle(tickSize, s.look.ink, draw.XLeft, draw.YCenter)
	width, entries := vg.Length(0), 0
	for _, l := range layers {
		for _, e := range l.legend {
			width = max(width, style.Width(e.name))
			entries++
		}
	}
	if entries == 0 {
		return
	}
	// More entries than fit below each other stand in columns.
	rows := max(1, min(entries, int((s.Size().Y-2*apart-8)/line)))
	columns := (entries + rows - 1) / rows
	rows = (entries + columns - 1) / columns
	room := (s.Size().X-2*apart-inset)/vg.Length(columns) - inset - iconWidth - gap
	if width > room {
		smaller := max(0.6, room/width)
		style.Font.Size *= smaller
		width = min(width*smaller, max(room, 10))
	}
	step := width + iconWidth + gap + inset
	size := vg.Point{X: vg.Length(columns)*step + inset, Y: vg.Length(rows)*line + 8}
	box := draw.Canvas{Canvas: s.Canvas.Canvas, Rectangle: quietPlace(s, layers, size, apart)}
	box.SetColor(faint(s.look.paper, 0.85))
	box.Fill(box.Path())
	outline(box, draw.LineStyle{Color: s.look.seam, Width: frameLine})
	icon := *s
	at := 0
	for _, l := range layers {
		for _, e := range l.legend {
			middle := box.Max.Y - 4 - (vg.Length(at%rows)+0.5)*line
			left := box.Min.X + inset + vg.Length(at/rows)*step
			icon.Canvas = draw.Canvas{Canvas: s.Canvas.Canvas, Rectangle: vg.Rectangle{
				Min: vg.Point{X: left, Y: middle - 3.5}, Max: vg.Point{X: left + iconWidth, Y: middle + 3.5},
			}}
			e.icon(&icon)
			s.FillText(style, vg.Point{X: left + iconWidth + gap, Y: middle + 0.5}, cut(style, e.name, width))
			at++
		}
		icon.first += l.colours
	}
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

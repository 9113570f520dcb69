package plotting

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// scale places values of an axis on the page.
type scale struct {
	over     span
	log      bool
	from, to vg.Length
}

func (s scale) at(v float64) vg.Length {
	lo, hi := s.over.lo, s.over.hi
	if s.log {
		v, lo, hi = math.Log(v), math.Log(lo), math.Log(hi)
	}
	return s.from + vg.Length((v-lo)/(hi-lo))*(s.to-s.from)
}

// orFloor is at, and below the axis where a logarithm has no place for a value.
func (s scale) orFloor(v float64) vg.Length {
	if s.log && v < leastOnLog {
		return s.from - (s.to - s.from)
	}
	return s.at(v)
}

// value is the inverse of at.
func (s scale) value(at vg.Length) float64 {
	share := float64((at - s.from) / (s.to - s.from))
	if s.log {
		return s.over.lo * math.Pow(s.over.hi/s.over.lo, share)
	}
	return s.over.lo + share*(s.over.hi-s.over.lo)
}

// ticksFor chooses ticks for an axis of a length over a range, no more than fit.
func (a axis) ticksFor(over span, length, apart vg.Length) []plot.Tick {
	if a.ticks != nil {
		return a.ticks
	}
	if a.log {
		return thinned(decadeTicks{}.Ticks(over.lo, over.hi), int(length/apart))
	}
	for most := int(min(7, max(4, length/apart))); most >= 2; most-- {
		ticks := roundTicks{most}.Ticks(over.lo, over.hi)
		each := vg.Length(16) // a line with the space below it
		if apart == acrossApart {
			each = widestLabel(ticks, over) + 5
		}
		if len(ticks) >= 2 && each*vg.Length(len(ticks)) <= length {
			return ticks
		}
	}
	// Where there is little room, the outermost numbers must do.
	ticks := roundTicks{4}.Ticks(over.lo, over.hi)
	for i := 1; i < len(ticks)-1; i++ {
		ticks[i].Label = ""
	}
	return ticks
}

// thinned removes labels, not ticks, evenly until at most most are left, and two at least:
// with fewer no value can be read off an axis.
func thinned(ticks []plot.Tick, most int) []plot.Tick {
	most = max(2, most)
	count, seen := labels(ticks), 0
	stride := (count + most - 1) / most
	for count > 2 && (count+stride-1)/stride < 2 {
		stride--
	}
	for i := range ticks {
		if ticks[i].Label != "" {
			if seen%max(1, stride) != 0 {
				ticks[i].Label = ""
			}
			seen++
		}
	}
	return ticks
}

// How far apart numbers stand at least, in points.
const (
	acrossApart = vg.Length(30)
	upApart     = vg.Length(24)
)

// needs returns the space that the axes take beside the frame.
func (p *panel) needs(at fit) (n insets) {
	if p.bare {
		return n
	}
	style := textStyle(tickSize, nil, draw.XCenter, draw.YTop)
	lineHeight := style.FontExtents().Height
	labelHeight := textStyle(labelSize, nil, draw.XCenter, draw.YTop).FontExtents().Height
	n.bottom, n.left = tickLength, tickLength
	xs := scale{at.x, p.x.log, 0, at.frame.Size().X}
	if !p.x.unlabelled {
		for _, t := range at.xticks {
			if t.Label == "" || !at.x.contains(t.Value) {
				continue
			}
			half := style.Width(t.Label) / 2
			n.right = max(n.right, xs.at(t.Value)+half-at.frame.Size().X)
			n.left = max(n.left, half-xs.at(t.Value))
		}
		n.bottom += 1.5 + lineHeight
		if p.x.label != "" {
			n.bottom += 2 + labelHeight
		}
	}
	if !p.y.unlabelled {
		n.left = max(n.left, tickLength+2+widestLabel(at.yticks, at.y))
		if p.y.label != "" {
			n.left += 5 + labelHeight
		}
		n.top = lineHeight / 4
	}
	return n
}

func widestLabel(ticks []plot.Tick, over span) (widest vg.Length) {
	style := textStyle(tickSize, nil, draw.XRight, draw.YCenter)
	for _, t := range ticks {
		if over.contains(t.Value) {
			widest = max(widest, style.Width(t.Label))
		}
	}
	return widest
}

func (p *panel) drawAxes(s *stage, at fit) {
	line := draw.LineStyle{Color: s.look.ink, Width: frameLine}
	below := textStyle(tickSize, s.look.ink, draw.XCenter, draw.YTop)
	beside := textStyle(tickSize, s.look.ink, draw.XRight, draw.YCenter)
	lineHeight := below.FontExtents().Height
	for _, t := range at.xticks {
		if !inside(t.Value, at.x) {
			continue
		}
		x := s.x.at(t.Value)
		s.StrokeLine2(line, x, s.Min.Y, x, s.Min.Y-lengthOf(t))
		if !p.x.unlabelled {
			s.FillText(below, vg.Point{X: x, Y: s.Min.Y - tickLength - 1.5}, t.Label)
		}
	}
	for _, t := range at.yticks {
		if !inside(t.Value, at.y) {
			continue
		}
		y := s.y.at(t.Value)
		s.StrokeLine2(line, s.Min.X, y, s.Min.X-lengthOf(t), y)
		if !p.y.unlabelled {
			s.FillText(beside, vg.Point{X: s.Min.X - tickLength - 2, Y: y + 0.5}, t.Label)
		}
	}
	if p.x.label != "" && !p.x.unlabelled {
		style := fitted(textStyle(labelSize, s.look.ink, draw.XCenter, draw.YTop), p.x.label, at.room)
		s.FillText(style, vg.Point{X: s.Center().X, Y: s.Min.Y - tickLength - 3.5 - lineHeight}, p.x.label)
	}
	if p.y.label != "" && !p.y.unlabelled {
		style := fitted(textStyle(labelSize, s.look.ink, draw.XCenter, draw.YBottom), p.y.label, s.Size().Y+30)
		style.Rotation = math.Pi / 2
		x := s.Min.X - tickLength - 7 - widestLabel(at.yticks, at.y)
		s.FillText(style, vg.Point{X: x, Y: s.Center().Y}, p.y.label)
	}
}

// lengthOf is shorter for a tick without a number.
func lengthOf(t plot.Tick) vg.Length {
	if t.Label == "" {
		return tickLength * 0.6
	}
	return tickLength
}

// inside forgives rounding at the ends.
func inside(v float64, over span) bool {
	slack := 1e-9 * (over.hi - over.lo)
	return v >= over.lo-slack && v <= over.hi+slack
}

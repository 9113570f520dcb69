package plotting

import (
	"math"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// stairs is a histogram: heights and their errors. Upright ones have their heights to the
// right.
type stairs struct {
	binning
	heights, errors []float64
	upright         bool
}

// divided has heights and errors in units of a number.
func (h stairs) divided(by float64) stairs { return h.per(func(int) float64 { return by }) }

// per has heights and errors in units of a number for each bin.
func (h stairs) per(by func(bin int) float64) stairs {
	h.heights, h.errors = slices.Clone(h.heights), slices.Clone(h.errors)
	for i := range h.heights {
		h.heights[i] /= by(i)
		h.errors[i] /= by(i)
	}
	return h
}

func (h stairs) points(s *stage) []vg.Point {
	at := func(v, height float64) vg.Point { return vg.Point{X: s.x.at(v), Y: s.y.orFloor(height)} }
	if h.upright {
		at = func(v, height float64) vg.Point { return s.at(height, v) }
	}
	points := []vg.Point{at(h.at(0, 0), 0)}
	for i, height := range h.heights {
		points = append(points, at(h.at(i, 0), height), at(h.at(i+1, 0), height))
	}
	return append(points, at(h.at(h.n, 0), 0))
}

func (h stairs) fill(i int) mark {
	return func(s *stage) { s.FillPolygon(faint(s.color(i), 0.3), s.ClipPolygonXY(h.points(s))) }
}

func (h stairs) line(i int) mark {
	return func(s *stage) { s.polyline(s.line(i, 1.3), h.points(s)) }
}

// bars draws the errors of the bins that have one, at a share of their width.
func (h stairs) bars(i int, share float64) mark {
	return errorBars(i, h.places(share), h.heights, h.known(), 0)
}

// known are the errors of the bins that hold events, NaN for others: √Σw² of none is 0, which
// isn't how well an empty bin is known.
func (h stairs) known() []float64 {
	out := slices.Clone(h.errors)
	for i, e := range out {
		if e == 0 {
			out[i] = math.NaN()
		}
	}
	return out
}

// dots draws a point with its error bar for each bin.
func (h stairs) dots(i int) mark {
	bars := h.bars(i, 0.5)
	return func(s *stage) {
		bars(s)
		apart := h.apart(s)
		for j, height := range h.heights {
			at := vg.Point{X: s.x.at(h.at(j, 0.5)), Y: s.y.orFloor(height)}
			if s.Contains(at) {
				s.marker(i, at, narrow(apart))
			}
		}
	}
}

// apart is the width of the narrowest bin on the page.
func (h stairs) apart(s *stage) vg.Length {
	least := vg.Length(math.Inf(1))
	for i := range h.n {
		least = min(least, vg.Length(math.Abs(float64(s.x.at(h.at(i+1, 0))-s.x.at(h.at(i, 0))))))
	}
	return least
}

// reach is the range of the heights with their errors, and with 0; of a logarithmic axis,
// that from the lowest positive height.
func (h stairs) reach(errors, log bool) span {
	over := span{0, 0}
	if log {
		over = nothing()
	}
	for i, height := range h.heights {
		if log && height < leastOnLog {
			continue
		}
		over = over.include(height)
		if errors && finite(h.errors[i]) {
			over = over.include(height + h.errors[i])
			if !log {
				over = over.include(height - h.errors[i])
			}
		}
	}
	return over
}

// tops are places along the outline and below it.
func (h stairs) tops() (places [][2]float64) {
	for i, height := range h.heights {
		x := (h.at(i, 0) + h.at(i+1, 0)) / 2
		places = append(places, [2]float64{x, height}, [2]float64{x, 0.8 * height}, [2]float64{x, 0.6 * height})
	}
	return places
}

// dotIconWithBar is the sign of points with error bars in a legend.
func dotIconWithBar(i int) func(*stage) {
	return func(s *stage) {
		at := s.Center()
		s.StrokeLine2(draw.LineStyle{Color: s.color(i), Width: 1}, at.X, s.Min.Y-1, at.X, s.Max.Y+1)
		s.marker(i, at, markerSize)
	}
}

package plotting

import (
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// reference is a line that data are compared with: y = at, or x = at if it is upright.
type reference struct {
	at      float64
	name    string
	upright bool
	dashes  []vg.Length
}

// dashes tell the first reference lines from each other.
var dashes = [][]vg.Length{{4, 3}, {1.5, 2}, {8, 2.5, 1.5, 2.5}}

// refer draws the reference lines over what the layer holds.
func (l *layer) refer(s settings) {
	for _, r := range s.references {
		style := func(s *stage) draw.LineStyle {
			return draw.LineStyle{Color: s.look.ink, Width: 1, Dashes: r.dashes}
		}
		l.marks = append(l.marks, func(s *stage) {
			if x := s.x.at(r.at); r.upright && s.ContainsX(x) {
				s.StrokeLine2(style(s), x, s.Min.Y, x, s.Max.Y)
			}
			if y := s.y.at(r.at); !r.upright && s.ContainsY(y) {
				s.StrokeLine2(style(s), s.Min.X, y, s.Max.X, y)
			}
		})
		if r.name != "" {
			l.legend = append(l.legend, legendEntry{r.name, lineIcon(style)})
		}
	}
}

// withReferences is the ranges of the data with those of the lines that they are compared
// with.
func (s settings) withReferences(x, y span) (span, span) {
	for _, r := range s.references {
		if r.upright {
			x = x.include(r.at)
		} else {
			y = y.include(r.at)
		}
	}
	return x, y
}

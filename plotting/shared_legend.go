package plotting

import (
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/recorder"
)

// SharedLegend returns the figure with one legend below all its panels in place of theirs. What
// has one name must look the same in all of them, and what has another name must not: it is an
// error otherwise, as the legend would mislead.
func (f Figure) SharedLegend() Figure {
	if f.Err() != nil {
		return f
	}
	var entries stripLegend
	names, looks := map[string]string{}, map[string]string{}
	root := copied(f.root)
	for p := range root.panels() {
		for _, e := range named(p.layers) {
			look := e.picture()
			before, known := names[e.name]
			other, taken := looks[look]
			switch {
			case known && before != look:
				return failed("SharedLegend: two panels draw %q in two ways: give the panels' series in one order, and draw them alike", e.name)
			case !known && taken:
				return failed("SharedLegend: %q and %q look alike, in two panels: tell the panels apart by Title, or give both the same series", other, e.name)
			case !known:
				names[e.name], looks[look] = look, e.name
				entries = append(entries, e)
			}
		}
		p.layers = slices.Clone(p.layers)
		for i := range p.layers {
			p.layers[i].legend = nil
		}
	}
	if len(entries) == 0 {
		return failed("SharedLegend: nothing has a name: give the panels' series or samples one")
	}
	for _, e := range entries {
		says(root, e.name)
	}
	f.root = &grid{legend: entries, cells: [][]node{{root}}, widths: []float64{1}, heights: []float64{1}}
	f.height += entries.height(f.page().Size().X)
	return f
}

// picture is how the entry's icon looks, in words.
func (e namedEntry) picture() string {
	var canvas recorder.Canvas
	s := &stage{Canvas: draw.NewCanvas(&canvas, iconWidth, 7), look: &light, first: e.first}
	e.icon(s)
	var words strings.Builder
	for _, action := range canvas.Actions {
		words.WriteString(action.Call() + "\n")
	}
	return words.String()
}

// stripLegend names what several panels show, in rows below them.
type stripLegend []namedEntry

const entriesApart = vg.Length(16)

// rows are the entries, as many in each as fit a width.
func (l stripLegend) rows(width vg.Length) (rows [][]namedEntry) {
	left := vg.Length(0)
	for _, e := range l {
		if left -= e.width() + entriesApart; left < 0 || len(rows) == 0 {
			rows = append(rows, nil)
			left = width - e.width()
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], e)
	}
	return rows
}

func (e namedEntry) width() vg.Length {
	return iconWidth + iconGap + legendStyle(&light).Width(e.name)
}

func (l stripLegend) height(width vg.Length) vg.Length {
	if len(l) == 0 {
		return 0
	}
	return vg.Length(len(l.rows(width)))*legendLine + 8
}

// draw draws the rows from a height up, about a middle and within a page.
func (l stripLegend) draw(c draw.Canvas, look *look, bottom, middle vg.Length, page vg.Rectangle) {
	s := &stage{Canvas: c, look: look}
	style := legendStyle(look)
	rows := l.rows(page.Size().X)
	for r, row := range rows {
		width := -entriesApart
		for _, e := range row {
			width += e.width() + entriesApart
		}
		at := vg.Point{X: middle - width/2, Y: bottom + (vg.Length(len(rows)-r)-0.5)*legendLine}
		at.X = max(page.Min.X, min(page.Max.X-width, at.X))
		for _, e := range row {
			e.draw(s, style, at, page.Max.X-at.X-iconWidth-iconGap)
			at.X += e.width() + entriesApart
		}
	}
}

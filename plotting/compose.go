package plotting

import (
	"slices"

	"gonum.org/v1/plot/vg"
)

// Row puts figures side by side, their frames aligned. Figures of several panels keep
// their own arrangement. See [Figure.Sized] for another size than that of all together.
func Row(figures ...Figure) Figure {
	return compose("Row", len(figures), figures)
}

// Grid puts figures into rows of columns each, their frames aligned. The last row may be
// incomplete. Figures of several panels keep their own arrangement.
func Grid(columns int, figures ...Figure) Figure {
	if columns < 1 {
		return failed("Grid: %d columns: give 1 or more", columns)
	}
	return compose("Grid", min(columns, len(figures)), figures)
}

// Titled returns the figure with a title above all its panels.
func (f Figure) Titled(title string) Figure {
	if f.Err() != nil {
		return f
	}
	f.root = &grid{title: title, cells: [][]node{{copied(f.root)}}, widths: []float64{1}, heights: []float64{1}}
	says(f.root, title)
	f.height += titleBand + 3
	return f
}

// Sized returns the figure with a width and height in inches, 0.5 to 40: one that was
// composed is otherwise as large as its parts together.
func (f Figure) Sized(width, height float64) Figure {
	if f.Err() != nil {
		return f
	}
	var s settings
	if err := Size(width, height).apply(&s); err != nil {
		return failed("Figure.Sized: %w", err)
	}
	f.width, f.height = s.width, s.height
	return f
}

// says has the first panel of a node, which nothing else holds, tell if words can't be drawn.
func says(n node, words string) {
	for p := range n.panels() {
		p.words = append(slices.Clip(p.words), words)
		return
	}
}

// Overlay lays figures of one panel over each other, the first lowest, on the first's
// title and labels. Colours go on from one to the next, and the ranges hold the data of
// all, unless the first was given [Limits] or shows a plane such as a [Density], whose
// extent they then keep.
func Overlay(figures ...Figure) Figure {
	if len(figures) == 0 {
		return failed("Overlay: no figures: give at least one")
	}
	var out panel
	result := figures[0]
	for i, f := range figures {
		if err := f.Err(); err != nil {
			return failed("Overlay: figure %d: %w", i, err)
		}
		p, ok := f.root.(*panel)
		if !ok {
			return failed("Overlay: figure %d has several panels: overlay figures of one panel, then set them in a Grid", i)
		}
		if i == 0 {
			out = *p
			out.layers = slices.Clone(p.layers)
			continue
		}
		if p.x.log != out.x.log || p.y.log != out.y.log {
			return failed("Overlay: figure %d (%s) and the first (%s) differ in logarithmic axes: give LogX and LogY to both or to neither", i, p.kind, out.kind)
		}
		if p.bare != out.bare {
			return failed("Overlay: figure %d (%s) and the first (%s): images have no axes to share with others", i, p.kind, out.kind)
		}
		if !p.empty {
			out.x.extend(p.x, out.empty)
			out.y.extend(p.y, out.empty)
		}
		out.layers = append(out.layers, p.layers...)
		if !out.x.fixed || !out.y.fixed {
			result.width, result.height = max(result.width, f.width), max(result.height, f.height)
		}
		out.kind += " with " + p.kind
		out.empty = out.empty && p.empty
		if out.bar == nil {
			out.bar = p.bar
		}
		out.note = joined(out.note, p.note)
	}
	result.root = &out
	return result
}

// SharedAxes returns the figure with the same ranges on all its panels, so that data
// and samples compare directly; within a grid, numbers and labels stand at its left and
// lower edge alone. The panels of a [Ratio] share theirs. Panels without data don't count.
func (f Figure) SharedAxes() Figure {
	if f.Err() != nil {
		return f
	}
	var first *panel
	x, y, ratios := nothing(), nothing(), nothing()
	for p := range f.root.panels() {
		if p.bare || p.x.ticks != nil || p.y.ticks != nil {
			return failed("SharedAxes: a panel of kind %s has no axes to share: share scatters, lines or histograms", p.kind)
		}
		if first == nil {
			first = p
		}
		if p.x.log != first.x.log || p.kind != ratioKind && p.y.log != first.y.log {
			return failed("SharedAxes: some panels are logarithmic and some not: give LogX and LogY to all or to none")
		}
		if p.empty {
			continue
		}
		x = x.union(p.x.over)
		if p.kind == ratioKind {
			ratios = ratios.union(p.y.over)
		} else {
			y = y.union(p.y.over)
		}
	}
	if !x.isEmpty() {
		f.root = copied(f.root)
		share(f.root, x, y, ratios, false, false)
	}
	return f
}

// copied has panels of its own, so that a figure may stand in several places.
func copied(n node) node {
	switch n := n.(type) {
	case *panel:
		p := *n
		return &p
	case *grid:
		g := *n
		g.cells = make([][]node, len(n.cells))
		for r, row := range n.cells {
			g.cells[r] = make([]node, len(row))
			for k, cell := range row {
				if cell != nil {
					g.cells[r][k] = copied(cell)
				}
			}
		}
		return &g
	}
	return n
}

// share gives all panels of a node, which nothing else holds, the same ranges.
func share(n node, x, y, ratios span, hideX, hideY bool) {
	switch n := n.(type) {
	case *panel:
		n.x.over, n.y.over = x, y
		if n.kind == ratioKind {
			n.y.over = ratios
		}
		n.x.unlabelled, n.y.unlabelled = n.x.unlabelled || hideX, n.y.unlabelled || hideY
	case *grid:
		sameX, sameY := sameLabels(n)
		for r, row := range n.cells {
			for k, cell := range row {
				if cell != nil {
					below := r+1 < len(n.cells) && n.cells[r+1][k] != nil
					share(cell, x, y, ratios, below && sameX, k > 0 && sameY)
				}
			}
		}
	}
}

// sameLabels tells whether the panels of a grid say the same along their axes; those that
// don't keep what they say.
func sameLabels(g *grid) (x, y bool) {
	var labels [2]map[string]bool
	for i := range labels {
		labels[i] = map[string]bool{}
	}
	for p := range g.panels() {
		labels[0][p.x.label], labels[1][p.y.label] = true, true
	}
	return len(labels[0]) == 1, len(labels[1]) == 1
}

func compose(name string, columns int, figures []Figure) Figure {
	if len(figures) == 0 {
		return failed("%s: no figures: give at least one", name)
	}
	g := &grid{widths: make([]float64, columns)}
	out := Figure{look: figures[0].look, perInch: figures[0].perInch}
	for i, f := range figures {
		if err := f.Err(); err != nil {
			return failed("%s: figure %d: %w", name, i, err)
		}
		r, k := i/columns, i%columns
		if k == 0 {
			g.cells = append(g.cells, make([]node, columns))
			g.heights = append(g.heights, 0)
		}
		g.cells[r][k] = copied(f.root)
		g.widths[k], g.heights[r] = max(g.widths[k], float64(f.width)), max(g.heights[r], float64(f.height))
	}
	for _, w := range g.widths {
		out.width += vg.Length(w)
	}
	for _, h := range g.heights {
		out.height += vg.Length(h)
	}
	out.root = g
	return out
}

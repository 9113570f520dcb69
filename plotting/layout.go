package plotting

import (
	"iter"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// node is a panel or a grid of nodes.
type node interface {
	// panels are all that the node holds, row by row.
	panels() iter.Seq[*panel]
}

func (p *panel) panels() iter.Seq[*panel] {
	return func(yield func(*panel) bool) { yield(p) }
}

// grid sets nodes in rows and columns, their outer frames aligned. A cell may be nil.
type grid struct {
	title string
	// name stands at the left.
	name string
	// legend stands below.
	legend stripLegend
	cells  [][]node
	// widths and heights are the relative sizes of the frames.
	widths, heights []float64
	// tight grids hold panels that belong together.
	tight bool
}

func (g *grid) panels() iter.Seq[*panel] {
	return func(yield func(*panel) bool) {
		for _, row := range g.cells {
			for _, cell := range row {
				if cell == nil {
					continue
				}
				for p := range cell.panels() {
					if !yield(p) {
						return
					}
				}
			}
		}
	}
}

// insets is the space beside a frame for numbers, labels and titles.
type insets struct{ left, right, bottom, top vg.Length }

func (i insets) max(o insets) insets {
	return insets{max(i.left, o.left), max(i.right, o.right), max(i.bottom, o.bottom), max(i.top, o.top)}
}

// fit is where a panel comes to lie, with the ranges and ticks of its axes.
type fit struct {
	frame          vg.Rectangle
	x, y           span
	xticks, yticks []plot.Tick
	// notes is the height of the notes of its row, room the width for a title.
	notes, room vg.Length
	insets      insets
}

// layout finds the place of all panels of a figure.
type layout struct {
	fits   map[*panel]fit
	notes  map[*panel]vg.Length
	titles map[*panel]bool
	page   vg.Rectangle
	pixel  vg.Length
}

// arrange lays out figures on a page, their counterparts at the same places. The frames
// depend on the width of the numbers, these on the ticks, and the ticks on the frames, so it
// is done repeatedly.
func arrange(page vg.Rectangle, pixel vg.Length, roots ...node) *layout {
	l := &layout{fits: map[*panel]fit{}, notes: map[*panel]vg.Length{}, titles: map[*panel]bool{}, page: page, pixel: pixel}
	for _, root := range roots {
		l.markNotes(root)
	}
	l.level(roots)
	for range 4 {
		for _, root := range roots {
			in := l.insets(root)
			frame := page
			frame.Min.X, frame.Max.X = ordered(frame.Min.X+in.left, frame.Max.X-in.right)
			frame.Min.Y, frame.Max.Y = ordered(frame.Min.Y+in.bottom, frame.Max.Y-in.top)
			l.place(root, frame, page.Size().X)
		}
		l.level(roots)
	}
	return l
}

// level gives counterparts the same space beside their frames.
func (l *layout) level(roots []node) {
	if len(roots) == 1 {
		return
	}
	for _, same := range counterparts(roots) {
		of := insets{}
		for _, p := range same {
			of = of.max(l.fits[p].insets)
			l.notes[same[0]] = max(l.notes[same[0]], l.notes[p])
			l.titles[same[0]] = l.titles[same[0]] || l.titles[p]
		}
		for _, p := range same {
			f := l.fits[p]
			f.insets = of
			l.fits[p], l.notes[p], l.titles[p] = f, l.notes[same[0]], l.titles[same[0]]
		}
	}
}

// counterparts are the first panels of all figures, the second ones, and so on. All have as
// many.
func counterparts(roots []node) (out [][]*panel) {
	for r, root := range roots {
		i := 0
		for p := range root.panels() {
			if r == 0 {
				out = append(out, nil)
			}
			out[i] = append(out[i], p)
			i++
		}
	}
	return out
}

// ordered keeps a frame from turning inside out where there is no room for it.
func ordered(lo, hi vg.Length) (vg.Length, vg.Length) {
	if hi < lo+4 {
		middle := lo/2 + hi/2
		return middle - 2, middle + 2
	}
	return lo, hi
}

// markNotes gives all panels of a row the same height above the frame.
func (l *layout) markNotes(n node) {
	switch n := n.(type) {
	case *panel:
		l.mark(n)
	case *grid:
		for _, row := range n.cells {
			var leaves []*panel
			for _, cell := range row {
				switch cell := cell.(type) {
				case *panel:
					leaves = append(leaves, cell)
				case *grid:
					l.markNotes(cell)
				}
			}
			l.mark(leaves...)
		}
	}
}

func (l *layout) mark(row ...*panel) {
	height, title := vg.Length(0), false
	for _, p := range row {
		if p.said() != "" {
			height = noteBand - 2
		}
		title = title || p.title != ""
	}
	for _, p := range row {
		l.notes[p], l.titles[p] = height, title
	}
}

func (l *layout) insets(n node) (in insets) {
	switch n := n.(type) {
	case *panel:
		return l.fits[n].insets
	case *grid:
		last := len(n.cells) - 1
		for r, row := range n.cells {
			for k, cell := range row {
				if cell == nil {
					continue
				}
				of := l.insets(cell)
				if k > 0 {
					of.left = 0
				}
				if k < len(row)-1 {
					of.right = 0
				}
				if r > 0 {
					of.top = 0
				}
				if r < last {
					of.bottom = 0
				}
				in = in.max(of)
			}
		}
		if n.title != "" {
			in.top += titleBand + 3
		}
		if n.name != "" {
			in.left += titleBand
		}
		in.bottom += n.legend.height(l.page.Size().X)
	}
	return in
}

// place gives a node its frame. The gap between two columns is what the numbers and
// labels in it take.
func (l *layout) place(n node, frame vg.Rectangle, room vg.Length) {
	switch n := n.(type) {
	case *panel:
		l.fits[n] = l.fit(n, frame, room)
	case *grid:
		across, up := make([]insets, len(n.widths)), make([]insets, len(n.heights))
		for r, row := range n.cells {
			for k, cell := range row {
				if cell != nil {
					of := l.insets(cell)
					across[k], up[r] = across[k].max(of), up[r].max(of)
				}
			}
		}
		padX, padY := vg.Length(14), vg.Length(10)
		if n.tight {
			padX, padY = 5, 5
		}
		columns := split(frame.Min.X, frame.Max.X, n.widths, func(k int) vg.Length { return across[k].right + padX + across[k+1].left })
		rows := split(-frame.Max.Y, -frame.Min.Y, n.heights, func(r int) vg.Length { return up[r].bottom + padY + up[r+1].top })
		for r, row := range n.cells {
			for k, cell := range row {
				if cell == nil {
					continue
				}
				within := vg.Rectangle{
					Min: vg.Point{X: columns[k].from, Y: -rows[r].to},
					Max: vg.Point{X: columns[k].to, Y: -rows[r].from},
				}
				l.place(cell, within, columns[k].to-columns[k].from+across[k].left+across[k].right)
			}
		}
	}
}

type stretch struct{ from, to vg.Length }

// split shares out a length by weights, with gaps between.
func split(from, to vg.Length, weights []float64, gap func(int) vg.Length) []stretch {
	left, sum := to-from, 0.0
	for i, w := range weights {
		sum += w
		if i < len(weights)-1 {
			left -= gap(i)
		}
	}
	left = max(left, vg.Length(4*len(weights)))
	var out []stretch
	for i, w := range weights {
		end := from + left*vg.Length(w/sum)
		out = append(out, stretch{from, end})
		if i < len(weights)-1 {
			from = end + gap(i)
		}
	}
	return out
}

// fit gives a panel its frame, on whole pixels so that lines and images are sharp.
func (l *layout) fit(p *panel, frame vg.Rectangle, room vg.Length) fit {
	at := fit{x: p.x.over, y: p.y.over, notes: l.notes[p], room: room}
	size := frame.Size()
	ux, uy := (at.x.hi-at.x.lo)/float64(size.X), (at.y.hi-at.y.lo)/float64(size.Y)
	unit := math.Max(ux, uy)
	// A frame that would be a line is left as it is.
	slender := !(ux/unit > 0.02 && uy/unit > 0.02)
	switch {
	case p.aspect == widened:
		at.x, at.y = at.x.widened(unit*float64(size.X)), at.y.widened(unit*float64(size.Y))
	case p.aspect == boxed && !slender:
		dx, dy := size.X*vg.Length(1-ux/unit)/2, size.Y*vg.Length(1-uy/unit)/2
		frame.Min.X, frame.Max.X = frame.Min.X+dx, frame.Max.X-dx
		frame.Min.Y, frame.Max.Y = frame.Min.Y+dy, frame.Max.Y-dy
	}
	snap := func(v vg.Length) vg.Length { return vg.Length(math.Round(float64(v/l.pixel))) * l.pixel }
	at.frame = vg.Rectangle{
		Min: vg.Point{X: snap(frame.Min.X), Y: snap(frame.Min.Y)},
		Max: vg.Point{X: snap(frame.Max.X), Y: snap(frame.Max.Y)},
	}
	if !p.bare {
		at.xticks = p.x.ticksFor(at.x, at.frame.Size().X, acrossApart)
		at.yticks = p.y.ticksFor(at.y, at.frame.Size().Y, upApart)
	}
	at.insets = p.needs(at)
	if p.bar != nil {
		at.insets.right = p.bar.width(at)
	}
	above := at.notes
	if at.notes > 0 {
		above += 4
	}
	if l.titles[p] {
		above += titleBand - 2
	}
	at.insets.top = max(at.insets.top, above)
	return at
}

// draw draws the node's panels where they were placed, what its grids are called, and their
// legends.
func (l *layout) draw(n node, c draw.Canvas, look *look, perInch float64) {
	for p := range n.panels() {
		p.draw(c, l.fits[p], look, perInch)
	}
	l.drawTitles(n, c, look)
}

func (l *layout) drawTitles(n node, c draw.Canvas, look *look) {
	g, ok := n.(*grid)
	if !ok {
		return
	}
	for _, row := range g.cells {
		for _, cell := range row {
			l.drawTitles(cell, c, look)
		}
	}
	if g.title == "" && g.name == "" && g.legend == nil {
		return
	}
	box := vg.Rectangle{Min: vg.Point{X: math.MaxFloat32, Y: math.MaxFloat32}, Max: vg.Point{X: 0, Y: 0}}
	for p := range g.panels() {
		f := l.fits[p].frame
		box.Min.X, box.Max.X = min(box.Min.X, f.Min.X), max(box.Max.X, f.Max.X)
		box.Min.Y, box.Max.Y = min(box.Min.Y, f.Min.Y), max(box.Max.Y, f.Max.Y)
	}
	if g.name != "" {
		style := fitted(textStyle(titleSize, look.ink, draw.XCenter, draw.YBottom), g.name, box.Size().Y+30)
		style.Rotation = math.Pi / 2
		c.FillText(style, vg.Point{X: box.Min.X - l.insets(g).left + titleBand - 5, Y: box.Min.Y/2 + box.Max.Y/2}, g.name)
	}
	g.legend.draw(c, look, box.Min.Y-l.insets(g).bottom, box.Min.X/2+box.Max.X/2, l.page)
	if g.title == "" {
		return
	}
	style := fitted(textStyle(titleSize+1, look.ink, draw.XCenter, draw.YBottom), g.title, box.Size().X+30)
	top := box.Max.Y + l.insets(g).top - titleBand + 2
	c.FillText(style, vg.Point{X: box.Min.X/2 + box.Max.X/2, Y: top}, g.title)
}

package plotting

import "gonum.org/v1/plot/vg"

// Row puts figures of one panel side by side, their frames aligned.
func Row(figures ...Figure) Figure {
	return arrange("Row", len(figures), figures)
}

// Grid puts figures of one panel into rows of columns each, their frames aligned. The
// last row may be incomplete.
func Grid(columns int, figures ...Figure) Figure {
	if columns < 1 {
		return failed("Grid: %d columns: give 1 or more", columns)
	}
	return arrange("Grid", min(columns, len(figures)), figures)
}

// SharedAxes returns the figure with the same ranges on all its panels, so that data
// and samples compare directly. Panels without data don't count.
func (f Figure) SharedAxes() Figure {
	if f.err != nil {
		return f
	}
	logs := map[bool]bool{}
	for _, row := range f.rows {
		for _, p := range row {
			if p == nil {
				continue
			}
			if p.bare || p.xticks != nil {
				return failed("SharedAxes: a panel of kind %s has no axes to share: share scatters, lines or histograms", p.kind)
			}
			logs[p.logY] = true
		}
	}
	if len(logs) > 1 {
		return failed("SharedAxes: some panels are logarithmic and some not: give LogY to all or to none")
	}
	f.shared = true
	return f
}

func arrange(name string, columns int, figures []Figure) Figure {
	if len(figures) == 0 {
		return failed("%s: no figures: give at least one", name)
	}
	var width, height, widths vg.Length
	var out Figure
	for i, f := range figures {
		if err := f.Err(); err != nil {
			return failed("%s: figure %d: %w", name, i, err)
		}
		if len(f.rows) != 1 || len(f.rows[0]) != 1 {
			return failed("%s: figure %d has several panels itself: give all panels to one Grid", name, i)
		}
		if i%columns == 0 {
			out.rows = append(out.rows, make([]*panel, columns))
		}
		out.rows[i/columns][i%columns] = f.rows[0][0]
		width, height = max(width, f.width), max(height, f.height)
		widths += f.width
	}
	out.width, out.height = width*vg.Length(columns), height*vg.Length(len(out.rows))
	return out
}

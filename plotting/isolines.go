package plotting

import "math"

// isolines returns the lines on which the surface has a level, by marching squares: each
// is a list of points, in units of the plane. A cell with a corner that is not finite
// has none.
func (s surface) isolines(level float64) (lines [][][2]float64) {
	// An edge runs from point a to point b; each has one crossing at most, in which the
	// lines of its two cells meet.
	type edge struct{ a, b int }
	links := map[edge][]edge{}
	var order []edge
	link := func(e, f edge) {
		for _, g := range []edge{e, f} {
			if _, known := links[g]; !known {
				order = append(order, g)
			}
		}
		links[e], links[f] = append(links[e], f), append(links[f], e)
	}
	w := s.plane.Across
	for j := range s.plane.Up - 1 {
		for i := range w - 1 {
			at := j*w + i
			corners := [4]int{at, at + 1, at + w + 1, at + w}
			var crossed []edge
			sum := 0.0
			for k, a := range corners {
				b := corners[(k+1)%4]
				sum += s.values[a]
				if (s.values[a] >= level) != (s.values[b] >= level) {
					crossed = append(crossed, edge{min(a, b), max(a, b)})
				}
			}
			switch {
			case math.IsNaN(sum) || math.IsInf(sum, 0):
			case len(crossed) == 2:
				link(crossed[0], crossed[1])
			case len(crossed) == 4 && (s.values[at] >= level) == (sum/4 >= level):
				// At a saddle the centre tells which corners belong together.
				link(crossed[0], crossed[1])
				link(crossed[2], crossed[3])
			case len(crossed) == 4:
				link(crossed[3], crossed[0])
				link(crossed[1], crossed[2])
			}
		}
	}
	place := func(e edge) [2]float64 {
		va, vb := s.values[e.a], s.values[e.b]
		t := (level - va) / (vb - va)
		x := float64(e.a%w) + t*float64(e.b%w-e.a%w)
		y := float64(e.a/w) + t*float64(e.b/w-e.a/w)
		p := s.plane
		return [2]float64{
			p.XMin + x/float64(w-1)*(p.XMax-p.XMin),
			p.YMin + y/float64(p.Up-1)*(p.YMax-p.YMin),
		}
	}
	done := map[edge]bool{}
	walk := func(from edge) {
		line := [][2]float64{place(from)}
		done[from] = true
		for at := from; ; {
			next, found := edge{}, false
			for _, e := range links[at] {
				if !done[e] {
					next, found = e, true
					break
				}
			}
			if !found {
				if len(line) > 2 && len(links[from]) == 2 { // a loop
					line = append(line, line[0])
				}
				lines = append(lines, line)
				return
			}
			line = append(line, place(next))
			done[next] = true
			at = next
		}
	}
	// Open lines first, from their ends.
	for _, ends := range []bool{true, false} {
		for _, e := range order {
			if !done[e] && (len(links[e]) == 1) == ends {
				walk(e)
			}
		}
	}
	return lines
}

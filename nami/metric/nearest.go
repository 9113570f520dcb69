package metric

import (
	"cmp"
	"math"
	"slices"
	"sort"
)

// neighbour is an event, by its number, and its squared distance to another one.
type neighbour struct {
	number  int
	squared float64
}

func (a neighbour) compare(b neighbour) int {
	if c := cmp.Compare(a.squared, b.squared); c != 0 {
		return c
	}
	return cmp.Compare(a.number, b.number)
}

// lineup are events in the order of their most spread value, in which a search for the nearest ones can
// begin close by and end where that value alone is too far away. In a few dimensions it sees a small
// part of the events, in many nearly all.
type lineup struct {
	events
	axis    int
	numbers []int // of the events, before they were sorted
}

func (e events) lineup() *lineup {
	l := &lineup{numbers: make([]int, e.count)}
	widest := -1.0
	for k := range e.size {
		if m := e.moment(k); m.deviation > widest {
			l.axis, widest = k, m.deviation
		}
	}
	for i := range l.numbers {
		l.numbers[i] = i
	}
	slices.SortFunc(l.numbers, func(i, j int) int { return cmp.Compare(e.row(i)[l.axis], e.row(j)[l.axis]) })
	l.events = events{flat: e.flat, count: e.count, size: e.size}.pick(l.numbers)
	return l
}

// nearest are the k nearest events to a point in rising order of their distance, and of their number where
// it is equal; fewer if there are fewer. The event of the number skip isn't among them.
func (l *lineup) nearest(point []float64, k, skip int) []neighbour {
	out := make([]neighbour, 0, k+1)
	bound := math.Inf(1)
	x := point[l.axis]
	right := sort.Search(l.count, func(i int) bool { return l.row(i)[l.axis] >= x })
	for left := right - 1; left >= 0 || right < l.count; {
		below, above := math.Inf(1), math.Inf(1)
		if left >= 0 {
			below = x - l.row(left)[l.axis]
		}
		if right < l.count {
			above = l.row(right)[l.axis] - x
		}
		at, step := right, above
		if below < above || right == l.count {
			at, step = left, below
			left--
		} else {
			right++
		}
		if step*step > bound {
			break
		}
		if l.numbers[at] == skip {
			continue
		}
		sum := 0.0
		row := l.row(at)
		for i, v := range point {
			d := v - row[i]
			sum += d * d
			// A partial sum only grows, so a row that is far can be left early.
			if i&15 == 15 && sum > bound {
				break
			}
		}
		if sum > bound {
			continue
		}
		found := neighbour{l.numbers[at], sum}
		place, _ := slices.BinarySearchFunc(out, found, neighbour.compare)
		out = slices.Insert(out, place, found)[:min(len(out)+1, k)]
		if len(out) == k {
			bound = out[k-1].squared
		}
	}
	return out
}

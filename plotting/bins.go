package plotting

import (
	"math"
	"slices"
	"sort"
)

// binning is n bins over a range, equally wide or between edges; on a logarithmic axis, of the
// logarithm.
type binning struct {
	over  span
	n     int
	log   bool
	edges []float64 // n+1 of them, rising; nil for equally wide bins
}

// at is the value at a share of the i-th bin's width, in the units of the axis.
func (b binning) at(i int, share float64) float64 {
	v := b.over.lo + (b.over.hi-b.over.lo)*(float64(i)+share)/float64(b.n)
	if b.edges != nil {
		v = b.edges[i]
		if share > 0 {
			v += share * (b.edges[i+1] - b.edges[i])
		}
	}
	if b.log {
		return math.Pow(10, v)
	}
	return v
}

// places are the values at a share of each bin's width.
func (b binning) places(share float64) []float64 {
	out := make([]float64, b.n)
	for i := range out {
		out[i] = b.at(i, share)
	}
	return out
}

// width is that of the i-th bin.
func (b binning) width(i int) float64 {
	if b.edges != nil {
		return b.edges[i+1] - b.edges[i]
	}
	return (b.over.hi - b.over.lo) / float64(b.n)
}

// bin is the bin of a value within the range. The upper edge belongs to the last one.
func (b binning) bin(v float64) int {
	if b.edges != nil {
		return min(b.n-1, sort.Search(b.n, func(i int) bool { return v < b.edges[i+1] }))
	}
	return min(b.n-1, int(float64(b.n)*((v-b.over.lo)/(b.over.hi-b.over.lo))))
}

// weighted are values, and how much each counts; nil for all alike.
type weighted struct{ values, weights []float64 }

func (w weighted) weight(i int) float64 {
	if w.weights == nil {
		return 1
	}
	return w.weights[i]
}

// total is the sum of the weights.
func (w weighted) total() (sum float64) {
	for i := range w.values {
		sum += w.weight(i)
	}
	return sum
}

// largest is the size of the largest weight, in units of which no square overflows.
func (w weighted) largest() float64 {
	if w.weights == nil {
		return 1
	}
	largest := 0.0
	for _, v := range w.weights {
		largest = max(largest, math.Abs(v))
	}
	return largest
}

// effective is the number of events that say as much as these do with their weights, at
// least 1 (Kish 1965, section 8.2).
func (w weighted) effective() float64 {
	largest := w.largest()
	sum, squares := 0.0, 0.0
	for i := range w.values {
		v := w.weight(i) / largest
		sum, squares = sum+v, squares+v*v
	}
	if !(squares > 0) { // no values, or weights of 0
		return 1
	}
	return max(1, sum*sum/squares)
}

// binned is the sum of the weights in each bin, and its standard error √Σw². The upper edge
// belongs to the last bin, and what lies outside to none.
func (w weighted) binned(b binning) stairs {
	h := stairs{binning: b, heights: make([]float64, b.n), errors: make([]float64, b.n)}
	unit := max(w.largest(), math.SmallestNonzeroFloat64)
	for i, v := range w.values {
		if !b.over.contains(v) {
			continue
		}
		j := b.bin(v)
		weight := w.weight(i)
		h.heights[j] += weight
		h.errors[j] += (weight / unit) * (weight / unit)
	}
	for j, square := range h.errors {
		h.errors[j] = unit * math.Sqrt(square)
	}
	return h
}

// sorted has the values in order.
func (w weighted) sorted() weighted {
	out := weighted{slices.Clone(w.values), slices.Clone(w.weights)}
	if w.weights == nil {
		slices.Sort(out.values)
	} else {
		sort.Sort(byValue(out))
	}
	return out
}

type byValue weighted

func (w byValue) Len() int           { return len(w.values) }
func (w byValue) Less(i, j int) bool { return w.values[i] < w.values[j] }
func (w byValue) Swap(i, j int) {
	w.values[i], w.values[j] = w.values[j], w.values[i]
	w.weights[i], w.weights[j] = w.weights[j], w.weights[i]
}

// past is the first of sorted values, from below or from above, with which the weights add up
// to more than a share of all, of/in. Negative weights count by their size: they are events too.
func (w weighted) past(of, in float64, fromAbove bool) float64 {
	n, all := len(w.values), 0.0
	for i := range n {
		all += math.Abs(w.weight(i))
	}
	sum, at := 0.0, 0
	for i := range n {
		at = i
		if fromAbove {
			at = n - 1 - i
		}
		if sum += math.Abs(w.weight(at)); sum > all*of/in {
			break
		}
	}
	return w.values[at]
}

// quartiles are those of sorted values.
func (w weighted) quartiles() span { return span{w.past(1, 4, false), w.past(3, 4, false)} }

// areWhole says whether values are integers, of which there are at least three different ones.
func (w weighted) areWhole() bool {
	different := map[float64]bool{}
	for _, v := range w.values {
		if v != math.Trunc(v) || math.Abs(v) > 1<<50 {
			return false
		}
		if len(different) < 3 {
			different[v] = true
		}
	}
	return len(different) == 3
}

// wholeBins are about n bins over a range, each of which holds as many integers, in its middle.
func wholeBins(over span, n int) (binning, bool) {
	first, last := math.Ceil(over.lo), math.Floor(over.hi)
	width := max(1, math.Floor((last-first+1)/float64(n)))
	count := math.Ceil((last - first + 1) / width)
	if !(count >= 1) {
		return binning{}, false
	}
	return binning{over: span{first - 0.5, first - 0.5 + width*count}, n: int(count)}, true
}

// chooseBins is the number of bins of Freedman and Diaconis (1981), or of Sturges where half
// of the values are equal, for the sample that asks for the fewest, 5 to 100. Events with
// weights are as many as they are worth.
func chooseBins(samples []weighted, over span) int {
	fewest := 100.0
	for _, s := range samples {
		if len(s.values) == 0 {
			continue
		}
		n := s.effective()
		quartiles := s.sorted().quartiles()
		want := math.Ceil(math.Log2(n)) + 1
		if width := 2 * (quartiles.hi - quartiles.lo) / math.Cbrt(n); width > 0 {
			want = math.Ceil((over.hi - over.lo) / width)
		}
		fewest = min(fewest, want)
	}
	return int(max(5, fewest))
}

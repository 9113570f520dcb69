package plotting

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/stat"

	"github.com/nami-flow/go-nami/nami/metric"
)

const (
	// mostCompared bounds the time of the distances that compare all pairs.
	mostCompared = 2000
	projections  = 200
)

// Compare returns a table of how far samples are from a reference: sliced Wasserstein
// distance, energy distance and maximum mean discrepancy (see package metric), the
// largest shift of a coordinate's mean in units of the reference's standard deviation,
// and the ratio of standard deviations furthest from 1. The first row compares two halves
// of the reference: no model can be expected to do better. Events are float32 or float64,
// [n]+event, with at least 4 in the reference and 2 in the others. So that rows compare,
// each takes the same number of events, up to 2000, and the table says how many. They are
// drawn at random with the seed, as are the halves: many data sets are sorted, or alternate
// between classes. Events that are not finite are left out and counted.
func Compare(reference Sample, others []Sample, seed int64) Table {
	t := Table{
		Title:  "Distance to " + or(reference.Name, "the reference"),
		Header: []string{"sample", "sliced W₂", "energy", "MMD", "shift of mean (σ)", "ratio of σ", "left out"},
	}
	all, err := readCompared("reference", reference)
	if err != nil {
		t.err = fmt.Errorf("plotting.Compare: %w", err)
		return t
	}
	if all.n() < 4 {
		t.err = fmt.Errorf("plotting.Compare: the reference has %d finite events (shape %s): give at least 4", all.n(), reference.Points.Shape())
		return t
	}
	shuffled := all.pick(rand.New(rand.NewPCG(uint64(seed), 0)).Perm(all.n()))
	half := shuffled.part(0, (all.n()+1)/2)
	rows := []compared{shuffled.part((all.n()+1)/2, all.n())}
	rows[0].name = "another half of it"
	n := min(mostCompared, rows[0].n())
	for i, other := range others {
		c, err := readCompared(fmt.Sprintf("sample %d", i+1), other)
		if err == nil && c.d != all.d {
			err = fmt.Errorf("%s has shape %s and the reference %s: the events must have the same size", c.name, other.Points.Shape(), reference.Points.Shape())
		}
		if err == nil && c.n() < 2 {
			err = fmt.Errorf("%s has %d finite events (shape %s): give at least 2", c.name, c.n(), other.Points.Shape())
		}
		if err != nil {
			t.err = fmt.Errorf("plotting.Compare: %w", err)
			return t
		}
		n = min(n, c.n())
		rows = append(rows, c)
	}
	against := half.part(0, n)
	for i, row := range rows {
		if i > 0 { // the halves are shuffled
			row = row.pick(rand.New(rand.NewPCG(uint64(seed), uint64(i))).Perm(row.n())[:n])
		}
		cells, err := distances(against, row.part(0, n), seed)
		if err != nil {
			t.err = fmt.Errorf("plotting.Compare: %s: %w", row.name, err)
			return t
		}
		t.Rows = append(t.Rows, append(append([]string{row.name}, cells...), fmt.Sprint(row.dropped)))
	}
	t.Title += fmt.Sprintf(", by %d events", n)
	return t
}

// compared is a sample by coordinate, of its finite events.
type compared struct {
	name    string
	columns [][]float64
	d       int
	dropped int
}

func (c compared) n() int { return len(c.columns[0]) }

func readCompared(otherwise string, s Sample) (compared, error) {
	c := compared{name: or(s.Name, otherwise)}
	data, err := read(s.Points)
	if err != nil {
		return c, fmt.Errorf("%s: %w", c.name, err)
	}
	if len(data.dims) < 2 {
		return c, fmt.Errorf("%s has shape %s: give [n]+event, such as [1000, 2]", c.name, s.Points.Shape())
	}
	c.d = 1
	for _, size := range data.dims[1:] {
		c.d *= size
	}
	if c.d == 0 {
		return c, fmt.Errorf("%s has shape %s: an event needs at least one value", c.name, s.Points.Shape())
	}
	c.columns = data.columns(c.d, 1)
	c.dropped = data.dims[0] - c.n()
	return c, nil
}

// pick is the events of those numbers.
func (c compared) pick(events []int) compared {
	out := compared{name: c.name, d: c.d, dropped: c.dropped, columns: make([][]float64, c.d)}
	for k, column := range c.columns {
		for _, i := range events {
			out.columns[k] = append(out.columns[k], column[i])
		}
	}
	return out
}

// part is the events from first to end, exclusive.
func (c compared) part(first, end int) compared {
	out := compared{name: c.name, d: c.d, dropped: c.dropped}
	for _, column := range c.columns {
		out.columns = append(out.columns, column[first:end])
	}
	return out
}

func (c compared) tensor() *tensors.Tensor {
	flat := make([]float64, 0, c.n()*c.d)
	for i := range c.n() {
		for _, column := range c.columns {
			flat = append(flat, column[i])
		}
	}
	return tensors.FromFlatDataAndDimensions(flat, c.n(), c.d)
}

func distances(reference, sample compared, seed int64) ([]string, error) {
	x, y := reference.tensor(), sample.tensor()
	sliced, err := metric.SlicedWasserstein(x, y, projections, seed)
	if err != nil {
		return nil, err
	}
	energy, err := metric.EnergyDistance(x, y)
	if err != nil {
		return nil, err
	}
	mmd, err := metric.MMD(x, y, 0)
	if err != nil {
		return nil, err
	}
	shift, ratio := 0.0, 1.0
	for k := range reference.columns {
		meanR, sigmaR := stat.MeanStdDev(reference.columns[k], nil)
		meanS, sigmaS := stat.MeanStdDev(sample.columns[k], nil)
		if sigmaR == 0 {
			continue // a coordinate that is constant has no scale
		}
		if s := (meanS - meanR) / sigmaR; math.Abs(s) > math.Abs(shift) {
			shift = s
		}
		if r := sigmaS / sigmaR; math.Abs(math.Log(r)) > math.Abs(math.Log(ratio)) {
			ratio = r
		}
	}
	return []string{
		fmt.Sprintf("%.3g", sliced), fmt.Sprintf("%.3g", energy), fmt.Sprintf("%.3g", mmd),
		minus(fmt.Sprintf("%+.3f", shift)), fmt.Sprintf("%.3f", ratio),
	}, nil
}

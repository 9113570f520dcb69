package metric

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
)

// Comparer compares samples with a reference in all ways that suit them. Its zero value is the
// usual choice.
type Comparer struct {
	// Columns are the names of an event's values, in row-major order; "column 1" and so on if nil.
	Columns []string

	// Events is of how many events of each sample all pairs are compared, drawn at random of those
	// that there are; 5,000 if 0. The values' own distributions, and [FastC2ST], are those of all
	// events. With 100,000 a comparison takes minutes.
	Events int

	// Tests are the permutations and the seed.
	Tests

	// Training is what a model was trained on, [k]+event: then the reference is taken for held-out
	// data, and [Copies] are looked for.
	Training *tensors.Tensor

	// Features is a map from events to vectors, such as a network's last layer, [n]+event to [n, f]:
	// then their [FrechetDistance] is compared, that which is known as FID.
	Features func(x *tensors.Tensor) (*tensors.Tensor, error)

	// Backend runs [C2ST] by the benchmark's recipe, if it is given, which takes some ten seconds.
	Backend compute.Backend
}

// Compare is that of the zero [Comparer].
func Compare(ctx context.Context, reference, sample *tensors.Tensor, settings ...Option) (Comparison, error) {
	return Comparer{}.Compare(ctx, reference, sample, settings...)
}

const (
	usualEvents      = 5000
	mostExact        = 200 // events of each sample for an exact Wasserstein distance
	usualProjections = 100
	leastForShares   = 20 // events of each sample for shares of them
)

// Compare compares a sample with a reference, float32 or float64 [m]+event and [n]+event, of which at
// least 2 events each are finite; others are left out and counted. [Weights] are those of the
// reference and of the sample, and what can't do with negative ones is left out.
//
// The tests of whole events are the energy distance, the maximum mean discrepancy, the sliced
// Wasserstein distance, the exact one of events of one value, or of up to 200 of each without weights,
// precision, recall, density and coverage of events without weights, the fast C2ST, and what the
// [Comparer] asks for. All events are in units of the reference's standard deviation of each value,
// so that a value in other units doesn't change the result. If both samples are of one
// distribution, one of the tests has an adjusted p-value of at most 0.05 with a probability of at
// most 0.05, and so has one of the differences: means, standard deviations, distribution functions
// (Kolmogorov and Smirnov) and, of up to 20 values, correlations. The latter are compared of 20
// events and more, and their laws, which are normal for many events, hold better for 50.
func (c Comparer) Compare(ctx context.Context, reference, sample *tensors.Tensor, settings ...Option) (Comparison, error) {
	out, err := c.compare(ctx, reference, sample, settings)
	if err != nil {
		return Comparison{}, fmt.Errorf("metric.Compare: %w", err)
	}
	return out, nil
}

func (c Comparer) compare(ctx context.Context, reference, sample *tensors.Tensor, settings []Option) (out Comparison, err error) {
	o, err := configure(settings, 2)
	if err != nil {
		return out, err
	}
	a, err := readCompared(o, 0, "the reference", reference)
	if err != nil {
		return out, err
	}
	b, err := readCompared(o, 1, "the sample", sample)
	if err == nil {
		err = sameEvent("the reference", reference, "the sample", sample)
	}
	switch {
	case err != nil:
	case c.Events < 0 || c.Events == 1:
		err = fmt.Errorf("the Events are %d: give how many events of each sample are compared in pairs, at least 2, or 0 for %d", c.Events, usualEvents)
	case c.Columns != nil && len(c.Columns) != a.size:
		err = fmt.Errorf("there are %d Columns, and an event has %d values: give a name for each", len(c.Columns), a.size)
	}
	if err != nil {
		return out, err
	}
	out.Reference, out.Sample = Counts{a.count, a.dropped}, Counts{b.count, b.dropped}
	negative := a.notNegative("the reference") != nil || b.notNegative("the sample") != nil
	switch {
	case negative:
		out.LeftOut = append(out.LeftOut, "all but the energy distance and the maximum mean discrepancy: some weights are negative")
	case min(a.effective(), b.effective()) < leastForShares:
		out.LeftOut = append(out.LeftOut, fmt.Sprintf("single values and their correlations: there are fewer than %d events of a sample, by their weights", leastForShares))
	default:
		out.Differences = differences(a.events, b.events, c.Columns)
	}
	run := comparing{Comparer: c, ctx: ctx, out: &out}
	run.inUnits(a.events, b.events)
	run.pairs(negative)
	if !negative {
		run.classifiers()
		run.asked(a.events, b.events, reference.Shape().Dimensions[1:])
	}
	if run.err != nil {
		return out, run.err
	}
	p := make([]float64, len(out.Tests))
	for i, t := range out.Tests {
		p[i] = t.P
	}
	out.Adjusted = Holm(p)
	return out, nil
}

// comparing is a comparison under way.
type comparing struct {
	Comparer
	ctx        context.Context
	out        *Comparison
	err        error
	all, drawn [2]events // in units of the reference
}

// add adds a test, or keeps the first error, with what failed.
func (c *comparing) add(name string, test func() (Test, error)) {
	if c.err != nil {
		return
	}
	t, err := test()
	if err != nil {
		c.err = fmt.Errorf("%s: %w", name, err)
		return
	}
	c.out.Tests = append(c.out.Tests, t)
}

func (c *comparing) leaveOut(what string, args ...any) {
	c.out.LeftOut = append(c.out.LeftOut, fmt.Sprintf(what, args...))
}

// inUnits sets the events in units of the reference's spread, all and some of each.
func (c *comparing) inUnits(a, b events) {
	moments := make([]moment, a.size)
	for k := range moments {
		moments[k] = a.moment(k)
		if moments[k].constant() || math.IsNaN(moments[k].deviation) || math.IsInf(moments[k].deviation, 0) {
			moments[k].deviation = 1
		}
	}
	most := c.Events
	if most == 0 {
		most = usualEvents
	}
	n := [2]int{min(most, a.count), min(most, b.count)}
	if a.weights != nil || b.weights != nil { // what permutations need
		n = [2]int{min(n[0], n[1]), min(n[0], n[1])}
	}
	for i, e := range []events{a, b} {
		e.flat = slices.Clone(e.flat)
		for r := range e.count {
			row := e.row(r)
			for k := range row {
				row[k] = (row[k] - moments[k].mean) / moments[k].deviation
			}
		}
		random := rand.New(rand.NewPCG(uint64(c.Seed), uint64(i)))
		c.all[i], c.drawn[i] = e, e.pick(random.Perm(e.count)[:n[i]]).normalised()
	}
}

// pairs are the tests that compare pairs of events.
func (c *comparing) pairs(negative bool) {
	a, b := c.drawn[0], c.drawn[1]
	c.add("energy distance", func() (Test, error) { return c.energy(c.ctx, a, b) })
	c.add("maximum mean discrepancy", func() (Test, error) { return c.mmd(c.ctx, a, b, 0) })
	if negative {
		return
	}
	exact := a.size == 1 || a.count == b.count && a.count <= mostExact && a.weights == nil && b.weights == nil
	if a.size > 1 {
		c.add("sliced Wasserstein distance", func() (Test, error) { return c.sliced(c.ctx, a, b, usualProjections) })
	}
	if exact {
		c.add("Wasserstein distance", func() (Test, error) { return c.wasserstein(c.ctx, a, b, 2) })
	} else {
		c.leaveOut("the exact Wasserstein distance: of several values, it is compared of up to %d events, as many of both, without weights", mostExact)
	}
	switch {
	case a.weights != nil || b.weights != nil:
		c.leaveOut("precision, recall, density and coverage: neighbours are those of events without weights")
		return
	case min(a.count, b.count) < leastForShares:
		c.leaveOut("precision, recall, density and coverage: there are fewer than %d events of a sample", leastForShares)
		return
	}
	if c.err != nil {
		return
	}
	near, err := newSupports(c.ctx, a, b, 5)
	var s SupportTests
	if err == nil {
		s, err = c.support(c.ctx, near)
	}
	if err != nil {
		c.err = fmt.Errorf("precision and recall: %w", err)
		return
	}
	c.out.Tests = append(c.out.Tests, s.Precision, s.Recall, s.Density, s.Coverage)
}

func (c *comparing) classifiers() {
	a, b := c.all[0], c.all[1]
	if min(a.count, b.count) < leastForShares {
		c.leaveOut("the fast C2ST: there are fewer than %d events of a sample", leastForShares)
	} else {
		c.add("fast C2ST", func() (Test, error) { return fastC2ST(c.ctx, a, b, c.Seed) })
	}
	a, b = c.drawn[0], c.drawn[1]
	switch {
	case c.Backend == nil:
		c.leaveOut("the C2ST by the benchmark's recipe: give a Backend")
	case min(a.count, b.count) < leastForShares:
		c.leaveOut("the C2ST by the benchmark's recipe: there are fewer than %d events of a sample", leastForShares)
	default:
		c.add("C2ST", func() (Test, error) { return classified(c.ctx, c.Backend, a, b, c.Seed) })
	}
}

// asked are the tests that need what only the user has, of events of a shape, in their own units.
func (c *comparing) asked(reference, sample events, shape []int) {
	x, wx := reference.shaped(shape)
	y, wy := sample.shaped(shape)
	if c.Features == nil {
		c.leaveOut("the Fréchet distance: give Features")
	} else {
		c.add("Fréchet distance of the features", func() (Test, error) {
			of, err := c.Features(x)
			if err != nil {
				return Test{}, fmt.Errorf("the features of the reference: %w", err)
			}
			ofSample, err := c.Features(y)
			if err != nil {
				return Test{}, fmt.Errorf("the features of the sample: %w", err)
			}
			return c.FrechetDistance(c.ctx, of, ofSample, Weights(wx, wy))
		})
	}
	switch {
	case c.Training == nil:
		c.leaveOut("copies of the training data: give the Training data, and held-out data as the reference")
	case wx != nil || wy != nil:
		c.leaveOut("copies of the training data: with weights there is no test of them")
	default:
		var copies CopyTests
		c.add("copies", func() (t Test, err error) {
			copies, err = Copies(c.Training, x, y)
			return copies.Nearer, err
		})
		c.add("copies", func() (Test, error) { return copies.Closest, nil })
	}
	c.err = errors.Join(c.err, finalize(x, wx, y, wy))
}

// finiteEvents are the events of a sample that are finite.
type finiteEvents struct {
	events
	dropped int
}

func readCompared(o options, i int, name string, x *tensors.Tensor) (out finiteEvents, err error) {
	e, err := readAny(name, x)
	if err != nil {
		return out, err
	}
	if e.weights, err = o.of(i, name, e.count); err != nil {
		return out, err
	}
	var good []int
	for k := range e.count {
		if !slices.ContainsFunc(e.row(k), func(v float64) bool { return v-v != 0 }) {
			good = append(good, k)
		}
	}
	out = finiteEvents{e.pick(good), e.count - len(good)}
	if out.count < 2 {
		return out, fmt.Errorf("%s has %d finite events (shape %s): give at least 2", name, out.count, x.Shape())
	}
	if out.events = out.normalised(); out.weights != nil && !slices.ContainsFunc(out.weights, func(w float64) bool { return w != 0 }) {
		return out, fmt.Errorf("all finite events of %s have the weight 0", name)
	}
	if out.weights != nil && slices.Max(out.weights) == slices.Min(out.weights) { // which are none
		out.weights = nil
	}
	return out, nil
}

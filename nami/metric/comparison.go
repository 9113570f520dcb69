package metric

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// Comparison says how far a sample is from a reference, and where they differ. Print it.
type Comparison struct {
	// Tests are those of whole events, in units of the reference's standard deviations, and Adjusted
	// their p-values adjusted by [Holm].
	Tests    []Test
	Adjusted []float64

	// Differences are those of the values' distributions and correlations, in the values' own units,
	// the clearest first, with their p-values adjusted by [Holm].
	Differences []Difference

	// Reference and Sample count the events that were compared: those that are finite, and those
	// that were left out as they aren't.
	Reference, Sample Counts

	// LeftOut says which tests don't suit the data, and why.
	LeftOut []string
}

// Counts are numbers of events.
type Counts struct{ Events, Dropped int }

// Findings are what differs significantly, in words: the tests, and then those of Clear.
func (c Comparison) Findings() []string {
	var out []string
	for i, t := range c.Tests {
		if c.Adjusted[i] <= 1-BandMass {
			out = append(out, fmt.Sprintf("%s %s, %s expected, p %s", t.Name, short(t.Value), t.Expected(), Probability(c.Adjusted[i])))
		}
	}
	for _, d := range c.Clear() {
		out = append(out, d.String())
	}
	return out
}

// Clear are the Differences whose adjusted p-value is at most 0.05, the clearest first. That the
// distribution of a value differs is only among them where its mean and spread don't.
func (c Comparison) Clear() (out []Difference) {
	known := map[int]bool{}
	clear := func(d Difference) bool { return d.Adjusted <= 1-BandMass }
	for _, d := range c.Differences {
		known[d.Column] = known[d.Column] || clear(d) && (d.Property == Mean || d.Property == Spread)
	}
	for _, d := range c.Differences {
		if clear(d) && !(d.Property == Distribution && known[d.Column]) {
			out = append(out, d)
		}
	}
	return out
}

// P is the p-value of the whole comparison: the smallest of all that were adjusted, twice, as tests and
// differences are adjusted by themselves.
func (c Comparison) P() float64 {
	p := 1.0
	for _, v := range c.Adjusted {
		p = min(p, 2*v)
	}
	for _, d := range c.Differences {
		p = min(p, 2*d.Adjusted)
	}
	return p
}

// String is a table of the tests, and below it what differs, in words.
func (c Comparison) String() string {
	var text strings.Builder
	count := func(n Counts, what string) string {
		s := fmt.Sprintf("%d events of %s", n.Events, what)
		if n.Dropped > 0 {
			s += fmt.Sprintf(" (%d that are not finite left out)", n.Dropped)
		}
		return s
	}
	fmt.Fprintf(&text, "%s, %s\n", count(c.Sample, "the sample"), count(c.Reference, "the reference"))
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "\tvalue\texpected\tp\tadjusted\n")
	for i, t := range c.Tests {
		mark := ""
		if c.Adjusted[i] <= 1-BandMass {
			mark = " *"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s%s\n", t.Name, short(t.Value), t.Expected(), plain(t.P), plain(c.Adjusted[i]), mark)
	}
	_ = table.Flush() // into memory, which doesn't fail
	if found := c.Clear(); len(found) > 0 {
		fmt.Fprintf(&text, "Differences, p adjusted for %d comparisons:\n", len(c.Differences))
		for _, d := range found {
			fmt.Fprintf(&text, "  %s\n", d)
		}
	} else if len(c.Differences) > 0 {
		fmt.Fprintf(&text, "No difference among %d comparisons of single values and pairs.\n", len(c.Differences))
	}
	for _, l := range c.LeftOut {
		fmt.Fprintf(&text, "Without %s.\n", l)
	}
	return text.String()
}

func plain(p float64) string { return strings.TrimPrefix(Probability(p), "= ") }

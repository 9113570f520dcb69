package data

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/table"
)

// Complete is the table of the rows in which no value of these columns is missing, and the
// number of those that were dropped; without names all columns count. What was empty, NaN or
// null in a file is missing.
func (t *Table) Complete(columns ...string) (complete *Table, dropped int, err error) {
	if columns == nil {
		columns = t.Names()
	}
	looked, err := t.Select(columns...)
	if err != nil {
		return nil, 0, fmt.Errorf("data.Table.Complete: %w", err)
	}
	rows := make([]int, 0, t.length)
	for row := range t.length {
		if !slices.ContainsFunc(looked.columns, func(c table.Column) bool { return c.IsMissing(row) }) {
			rows = append(rows, row)
		}
	}
	return t.pick(rows), t.length - len(rows), nil
}

// Shuffle is the table with its rows in an order that depends on the seed.
func (t *Table) Shuffle(seed int64) *Table { return t.pick(order(t.length, seed)) }

// order are the rows of a set in random order.
func order(n int, seed int64) []int {
	return rand.New(rand.NewPCG(uint64(seed), uint64(n))).Perm(n)
}

// cut says how many of n things go into the first part of two.
func cut(fraction float64, n int, things string) (int, error) {
	first := int(math.Round(fraction * float64(n)))
	if !(fraction > 0 && fraction < 1) || first < 1 || first >= n {
		return 0, fmt.Errorf("a fraction of %v of %d %s leaves one of the two parts empty: expected a fraction between 0 and 1, and at least one in each", fraction, n, things)
	}
	return first, nil
}

// Split divides the rows at random in two, as [Events.Split] does: the first part gets the
// given fraction of them, to the nearest number. It is an error if one would be empty. The
// seed alone decides which row goes where.
func (t *Table) Split(fraction float64, seed int64) (first, rest *Table, err error) {
	n, err := cut(fraction, t.length, "rows")
	if err != nil {
		return nil, nil, t.wrap("Split", err)
	}
	rows := order(t.length, seed)
	return t.pick(rows[:n]), t.pick(rows[n:]), nil
}

// SplitBy divides the rows at random in two so that all of a group, those with the same value
// of a column, are in the same part: a patient's images, or a run's events. Groups go to the
// first part, in random order, as long as that brings its number of rows closer to the
// fraction. It is an error if a value is missing, or if one part would be empty. Rows keep
// their order.
func (t *Table) SplitBy(column string, fraction float64, seed int64) (first, rest *Table, err error) {
	c, err := t.column(column)
	if err != nil {
		return nil, nil, t.wrap("SplitBy", err)
	}
	for row := range c.Len() {
		if c.IsMissing(row) {
			return nil, nil, fmt.Errorf("data.Table.SplitBy: %w", missingError(t.origin, row, column))
		}
	}
	group, groups := groupsOf(c)
	size := make([]int, groups)
	for _, g := range group {
		size[g]++
	}
	if _, err := cut(fraction, t.length, "rows"); err != nil || groups < 2 {
		return nil, nil, t.wrap("SplitBy", fmt.Errorf("a fraction of %v of %d rows in %d groups of %q: expected a fraction between 0 and 1, and two groups or more", fraction, t.length, groups, column))
	}
	wanted, have, taken := fraction*float64(t.length), 0, make([]bool, groups)
	left := groups
	for _, g := range order(groups, seed) {
		if with := float64(have + size[g]); left > 1 && (have == 0 || math.Abs(with-wanted) < math.Abs(float64(have)-wanted)) {
			taken[g], have = true, have+size[g]
			left--
		}
	}
	var in, out []int
	for row, g := range group {
		if taken[g] {
			in = append(in, row)
		} else {
			out = append(out, row)
		}
	}
	return t.pick(in), t.pick(out), nil
}

// groupsOf numbers the different values of a column, in their order.
func groupsOf(c table.Column) (group []int, groups int) {
	switch v := c.Values.(type) {
	case []float64:
		return numbered(v)
	case []float32:
		return numbered(v)
	case []int64:
		return numbered(v)
	case []string:
		return numbered(v)
	case []bool:
		group = make([]int, len(v))
		for i, b := range v {
			if b {
				group[i] = 1
			}
		}
		if !slices.Contains(v, false) || !slices.Contains(v, true) {
			return make([]int, len(v)), 1
		}
		return group, 2
	}
	return nil, 0
}

func numbered[T cmp.Ordered](values []T) (group []int, groups int) {
	number := map[T]int{}
	for _, v := range values {
		number[v] = 0
	}
	all := make([]T, 0, len(number))
	for v := range number {
		all = append(all, v)
	}
	slices.Sort(all)
	for i, v := range all {
		number[v] = i
	}
	group = make([]int, len(values))
	for i, v := range values {
		group[i] = number[v]
	}
	return group, len(all)
}

package data

import (
	"cmp"
	"errors"
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

// Where is the table of the rows whose value of a column keep accepts, and the number of those
// that were dropped: a cut, or a class.
//
//	gluons, dropped, err := data.Where(table, "kind", func(kind string) bool { return kind == "gluon" })
//	hard, dropped, err := data.Where(table, "pt", func(pt float64) bool { return pt > 30 })
//
// A column of numbers can be asked for float64, with NaN for what is missing, as [Table.Floats]
// does; otherwise T is what the column holds, and a value that is missing is an error.
func Where[T float64 | int64 | string | bool](t *Table, column string, keep func(value T) bool) (kept *Table, dropped int, err error) {
	if keep == nil {
		return nil, 0, errors.New("data.Where: keep is nil: give a function that says which values stay")
	}
	var values any
	switch any(*new(T)).(type) {
	case float64:
		values, err = t.Floats(column)
	case int64:
		values, err = t.Ints(column)
	case string:
		values, err = t.Texts(column)
	case bool:
		values, err = t.Bools(column)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("data.Where: %w", err)
	}
	var rows []int
	for row, v := range values.([]T) {
		if keep(v) {
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

// cuts are where parts of n things end, which have the given fractions of them, and the last one
// the rest.
func cuts(fractions []float64, n int, things string) (ends []int, err error) {
	if err := checkFractions(fractions); err != nil {
		return nil, err
	}
	sum, before := 0.0, 0
	for _, fraction := range fractions {
		sum += fraction
		end := int(math.Round(sum * float64(n)))
		if end <= before || end >= n {
			return nil, fmt.Errorf("with the fractions %v of %d %s a part is empty: each part, and the rest, needs at least one", fractions, n, things)
		}
		ends, before = append(ends, end), end
	}
	return append(ends, n), nil
}

// checkFractions refuses fractions that leave no rest.
func checkFractions(fractions []float64) error {
	sum := 0.0
	for _, fraction := range fractions {
		sum += fraction
		if !(fraction > 0) || !(sum < 1-1e-9) {
			return fmt.Errorf("the fractions are %v: expected numbers above 0 that add up to less than 1; the last part is the rest", fractions)
		}
	}
	if len(fractions) == 0 {
		return errors.New("there are no fractions: expected one for each part but the last, which is the rest")
	}
	return nil
}

// Split divides the rows at random, as [Events.Split] does: a part for each fraction, with so many
// of them, to the nearest number, and a last one of the rest. It is an error if a part would be
// empty. The seed alone decides which row goes where.
//
//	parts, err := table.Split(1, 0.1, 0.2) // a tenth, a fifth, and the rest
func (t *Table) Split(seed int64, fractions ...float64) (parts []*Table, err error) {
	ends, err := cuts(fractions, t.length, "rows")
	if err != nil {
		return nil, t.wrap("Split", err)
	}
	rows, first := order(t.length, seed), 0
	for _, end := range ends {
		parts = append(parts, t.pick(rows[first:end]))
		first = end
	}
	return parts, nil
}

// SplitBy divides the rows at random, as [Table.Split] does, so that all of a group, those with the
// same value of a column, are in the same part: a patient's images, or a run's events. Groups go
// to a part, in random order, as long as that brings its number of rows closer to the fraction. It
// is an error if a value is missing, or if there are fewer groups than parts. Rows keep their
// order.
func (t *Table) SplitBy(column string, seed int64, fractions ...float64) (parts []*Table, err error) {
	c, err := t.column(column)
	if err != nil {
		return nil, t.wrap("SplitBy", err)
	}
	for row := range c.Len() {
		if c.IsMissing(row) {
			return nil, fmt.Errorf("data.Table.SplitBy: %w", missingError(t.origin, row, column))
		}
	}
	if err := checkFractions(fractions); err != nil {
		return nil, t.wrap("SplitBy", err)
	}
	group, groups := groupsOf(c)
	if groups < len(fractions)+1 {
		return nil, t.wrap("SplitBy", fmt.Errorf("the column %q has %d different values, and %d parts are asked for: expected a group for each at least", column, groups, len(fractions)+1))
	}
	size := make([]int, groups)
	for _, g := range group {
		size[g]++
	}
	partOf, left := slices.Repeat([]int{len(fractions)}, groups), order(groups, seed)
	for part, fraction := range fractions {
		wanted, have, parts := fraction*float64(t.length), 0, len(fractions)-part // that come after
		var later []int
		for i, g := range left {
			after := len(later) + len(left) - i - 1 // groups, if this one is taken
			closer := math.Abs(float64(have+size[g])-wanted) < math.Abs(float64(have)-wanted)
			if after >= parts && (have == 0 || closer) {
				partOf[g], have = part, have+size[g]
			} else {
				later = append(later, g)
			}
		}
		left = later
	}
	rows := make([][]int, len(fractions)+1)
	for row, g := range group {
		rows[partOf[g]] = append(rows[partOf[g]], row)
	}
	for _, r := range rows {
		parts = append(parts, t.pick(r))
	}
	return parts, nil
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

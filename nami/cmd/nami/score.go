package main

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/modelfile"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/spf13/cobra"
)

// scorer gives the log-densities of a table's rows.
type scorer struct {
	options
	seed int64
	skip bool

	file    *modelfile.File
	columns data.Columns
	table   *data.Table
	noisy   bool

	// What was skipped, and the first reason for a row outside the model's domain.
	incomplete, infinite, outside int
	first                         error
}

// score gives the log-density of each row; NaN for those that are skipped.
func (s *scorer) score(cmd *cobra.Command) ([]float64, error) {
	out := make([]float64, s.table.Len())
	rows := make([]int, s.table.Len())
	for i := range rows {
		out[i], rows[i] = math.NaN(), i
	}
	if s.skip {
		var err error
		if rows, err = s.usable(rows); err != nil {
			return nil, err
		}
	}
	backend, err := s.open(cmd.ErrOrStderr())
	if err != nil {
		return nil, err
	}
	progress, done := bar(cmd.ErrOrStderr(), "log-densities")
	defer done()
	for len(rows) > 0 || !s.skip { // a table without rows is an error
		part, err := s.table.Rows(rows...)
		if err != nil {
			return nil, err
		}
		logProb, err := s.of(cmd, backend, part, progress)
		var value *transform.OutsideError
		switch {
		case err == nil:
			return out, gomlx.EachFloat(logProb, func(i int, v float64) { out[rows[i]] = v })
		case !s.skip || !errors.As(err, &value):
			return nil, err
		}
		if s.first == nil {
			s.first = err
		}
		s.outside += len(value.Rows)
		rows = without(rows, value.Rows)
	}
	return out, nil
}

// scores is a column of log-densities, in the dtype that they were computed in.
func (s *scorer) scores(name string, values []float64) data.Column {
	if s.file.DType() == dtypes.Float64 {
		return data.NewColumn(name, values)
	}
	single := make([]float32, len(values))
	for i, v := range values {
		single[i] = float32(v)
	}
	return data.NewColumn(name, single)
}

// without are the rows but for those with the given places, which rise.
func without(rows, places []int) (left []int) {
	for i, row := range rows {
		if len(places) > 0 && places[0] == i {
			places = places[1:]
			continue
		}
		left = append(left, row)
	}
	return left
}

// usable are the rows in which nothing is missing or infinite.
func (s *scorer) usable(rows []int) ([]int, error) {
	complete := append(contextNames(s.columns), s.columns.Mask...)
	numbers := s.columns.Context
	if len(s.columns.Mask) == 0 { // what is missing in padding doesn't matter
		complete = append(complete, s.columns.X...)
		numbers = append(numbers[:len(numbers):len(numbers)], s.columns.X...)
	}
	const place = "\x00row" // which no column of a file is called
	table, err := s.table.With(data.NewColumn(place, rows))
	if err != nil {
		return nil, err
	}
	if len(complete) > 0 {
		if table, s.incomplete, err = table.Complete(complete...); err != nil {
			return nil, err
		}
	}
	for _, name := range numbers {
		var dropped int
		table, dropped, err = data.Where(table, name, func(v float64) bool { return !math.IsInf(v, 0) })
		if err != nil {
			return nil, err
		}
		s.infinite += dropped
	}
	kept, err := table.Ints(place)
	left := make([]int, len(kept))
	for i, row := range kept {
		left[i] = int(row)
	}
	return left, err
}

// of are the log-densities of a table's rows, all of which must have one.
func (s *scorer) of(cmd *cobra.Command, backend compute.Backend, table *data.Table, progress nami.Option) (*tensors.Tensor, error) {
	f := s.file
	events, err := table.Events(s.columns)
	if err != nil {
		return nil, s.hint(err)
	}
	context := events.Context
	if context != nil {
		context = reshaped(context, append([]int{table.Len()}, f.Context...))
	}
	process, err := f.Bind(backend, context, nami.Seed(s.seed), progress, s.averaged())
	if err != nil {
		return nil, s.named(err, table, contextColumns(s.columns))
	}
	if events.Mask != nil {
		if process, err = process.Masked(events.Mask); err != nil {
			return nil, err
		}
	}
	estimator, err := s.chosen(process)
	if err != nil {
		return nil, err
	}
	s.noisy = process.Noisy(estimator)
	x := reshaped(events.X, append([]int{table.Len()}, f.Event...))
	logProb, err := process.LogProb(cmd.Context(), x, estimator)
	return logProb, s.named(err, table, s.columns.X)
}

// contextColumns has the column of each value of a context.
func contextColumns(c data.Columns) []string {
	names := append([]string{}, c.Context...)
	for _, class := range c.Classes {
		for range class.Names {
			names = append(names, class.Column)
		}
	}
	return names
}

// outsideRow is the error of a value outside the model's domain, by file, row and column.
type outsideRow struct {
	value  *transform.OutsideError
	where  string
	column string
	advice string
}

// Error says where the value stands, and what is expected.
func (o outsideRow) Error() string {
	return fmt.Sprintf("%s, column %q: the value is %v: %v%s", o.where, o.column, o.value.Value, o.value.Err, o.advice)
}

// Unwrap is the library's error.
func (o outsideRow) Unwrap() error { return o.value }

// skipAdvice ends the error of a row that has no log-density.
const skipAdvice = "; --skip leaves out the log-densities of such rows"

// named names the row and the column of a value that the model isn't defined for.
func (s *scorer) named(err error, table *data.Table, columns []string) error {
	var value *transform.OutsideError
	if !errors.As(err, &value) || value.Row >= table.Len() || value.Place >= len(columns) {
		return err
	}
	o := outsideRow{value: value, where: table.Place(value.Row), column: columns[value.Place]}
	if !s.skip {
		o.advice = skipAdvice
	}
	return o
}

// hint says of a row whose values make no event that there is a flag for it.
func (s *scorer) hint(err error) error {
	if s.skip || !errors.Is(err, data.ErrMissing) {
		return err
	}
	return fmt.Errorf("%w%s", err, skipAdvice)
}

// report says what was skipped, and that the log-densities are noisy.
func (s *scorer) report(w io.Writer, column string) {
	if n := s.incomplete + s.infinite + s.outside; n > 0 {
		fmt.Fprintf(w, "%d of %d rows have no %s: %d incomplete, %d with an infinite value, %d outside of what the model is defined for\n", n, s.table.Len(), column, s.incomplete, s.infinite, s.outside)
		if s.first != nil {
			fmt.Fprintf(w, "the first of these: %s\n", plain(s.first))
		}
	}
	if s.noisy && s.draws == 1 && s.estimator != "hutchinson" {
		fmt.Fprintf(w, "nami: the model adds noise to events, so %s depends on --seed; --draws 16 averages over it\n", column)
	}
}

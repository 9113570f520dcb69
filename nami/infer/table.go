package infer

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/nami-flow/go-nami/nami/data"
)

// Keep has simulations kept in a file, in one of the formats of [data.Format]: a column for each
// parameter, and x0, x1, … for the observation. It is written when [Simulate] returns, also after a
// failure, and the next call with the same prior, seed and batch size simulates only what is missing. In
// a simulation that failed the observation is missing.
func Keep(path string) SimulateOption { return func(o *simulating) { o.path = path } }

// FromFiles reads simulations from the files whose names match a pattern of [filepath.Match], such
// as "runs/*.parquet", one after the other in the order of their names: what the jobs of a cluster
// wrote. See [FromTable].
func FromFiles(pattern string, parameters, observation []string) (*Simulations, error) {
	paths, err := filepath.Glob(pattern)
	switch {
	case err != nil:
		return nil, fmt.Errorf("infer.FromFiles: the pattern %q: %w", pattern, err)
	case len(paths) == 0:
		return nil, fmt.Errorf("infer.FromFiles: no file matches %q", pattern)
	}
	all := &Simulations{Parameters: slices.Clone(parameters)}
	for i, path := range paths {
		t, err := data.Read(path)
		if err != nil {
			return nil, fmt.Errorf("infer.FromFiles: %w", err)
		}
		if observation == nil {
			observation = others(t, parameters) // of the first file, and asked for in the others
		}
		s, err := FromTable(t, parameters, observation)
		if err != nil {
			return nil, fmt.Errorf("infer.FromFiles: file %d of %d, %s: %w", i+1, len(paths), path, err)
		}
		all.Theta, all.X, all.Failed = append(all.Theta, s.Theta...), append(all.X, s.X...), all.Failed+s.Failed
	}
	return all, nil
}

// FromTable makes simulations of a table's rows: the columns of the parameters, in the order in
// which the prior has them, and those of the observation, all other columns if nil. Rows with a
// missing or infinite value in the observation have failed, and are counted and left out; one among
// the parameters is an error.
func FromTable(t *data.Table, parameters, observation []string) (*Simulations, error) {
	switch {
	case t == nil:
		return nil, errors.New("infer.FromTable: the table is nil")
	case len(parameters) == 0:
		return nil, errors.New("infer.FromTable: no parameters: name at least one column")
	}
	if observation == nil {
		observation = others(t, parameters)
	}
	if len(observation) == 0 {
		return nil, fmt.Errorf("infer.FromTable: the table has the columns %q, and all are parameters: expected columns of the observation, too", t.Names())
	}
	columns, err := floats(t, slices.Concat(parameters, observation))
	if err != nil {
		return nil, fmt.Errorf("infer.FromTable: %w", err)
	}
	s := &Simulations{Parameters: slices.Clone(parameters)}
	for i := range t.Len() {
		row := rowOf(columns, i)
		theta, x := row[:len(parameters):len(parameters)], row[len(parameters):]
		switch {
		case !finite(theta):
			return nil, fmt.Errorf("infer.FromTable: %s has %s: expected finite parameters", t.Place(i), describe(parameters, theta))
		case !finite(x):
			s.Failed++
			continue
		}
		s.Theta, s.X = append(s.Theta, theta), append(s.X, x)
	}
	if s.Len() == 0 {
		return nil, fmt.Errorf("infer.FromTable: of %d rows none has finite values in all of %q", t.Len(), observation)
	}
	return s, nil
}

// others are a table's columns that aren't parameters.
func others(t *data.Table, parameters []string) []string {
	return slices.DeleteFunc(t.Names(), func(name string) bool { return slices.Contains(parameters, name) })
}

func floats(t *data.Table, names []string) (columns [][]float64, err error) {
	for _, name := range names {
		c, err := t.Floats(name)
		if err != nil {
			return nil, err
		}
		columns = append(columns, c)
	}
	return columns, nil
}

func rowOf(columns [][]float64, i int) []float64 {
	row := make([]float64, len(columns))
	for j, c := range columns {
		row[j] = c[i]
	}
	return row
}

// Table has a column for each parameter, and x0, x1, … for the observation.
func (s *Simulations) Table() (*data.Table, error) { return tableOf(s.Parameters, s.Theta, s.X) }

// tableOf makes a table of rows. An observation of another length than the longest is missing.
func tableOf(parameters []string, theta, x [][]float64) (*data.Table, error) {
	length := 1 // of failures alone
	for _, row := range x {
		length = max(length, len(row))
	}
	columns := make([][]float64, len(parameters)+length)
	for j := range columns {
		columns[j] = make([]float64, len(theta))
		for i := range theta {
			switch k := j - len(parameters); {
			case k < 0:
				columns[j][i] = theta[i][j]
			case len(x[i]) != length:
				columns[j][i] = math.NaN()
			default:
				columns[j][i] = x[i][k]
			}
		}
	}
	named := make([]data.Column, len(columns))
	for j, c := range columns {
		name := fmt.Sprintf("x%d", j-len(parameters))
		if j < len(parameters) {
			name = parameters[j]
		}
		named[j] = data.NewColumn(name, c)
	}
	return data.NewTable(named...)
}

// save writes the rows that are done without a gap.
func (r *run) save() error {
	if r.path == "" {
		return nil
	}
	t, err := tableOf(r.prior.Names(), r.theta[:r.done], r.x[:r.done])
	if err == nil {
		err = t.Write(r.path)
	}
	if err != nil {
		return fmt.Errorf("infer.Simulate: Keep: %w", err)
	}
	return nil
}

// resume takes what a file holds.
func (r *run) resume() error {
	if r.path == "" {
		return nil
	}
	if _, err := data.FormatOf(r.path); err != nil {
		return fmt.Errorf("infer.Simulate: Keep: %w", err)
	}
	if _, err := os.Stat(r.path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	table, err := data.Read(r.path)
	if err != nil {
		return fmt.Errorf("infer.Simulate: Keep: %w", err)
	}
	names := r.prior.Names()
	if len(table.Names()) <= len(names) || !slices.Equal(table.Names()[:len(names)], names) {
		return fmt.Errorf("infer.Simulate: Keep: %s has the columns %q: expected the parameters %q and then the observation's; choose another file", r.path, table.Names(), names)
	}
	columns, err := floats(table, table.Names())
	if err != nil {
		return fmt.Errorf("infer.Simulate: Keep: %w", err)
	}
	for i := range min(table.Len(), r.n) {
		row := rowOf(columns, i)
		r.theta[i], r.x[i] = row[:len(names):len(names)], row[len(names):]
		r.done++
	}
	if r.done < r.n {
		r.done -= r.done % r.batch // a batch is made as a whole
	}
	return r.sameDraws()
}

// sameDraws holds the parameters of a file against those that are drawn now.
func (r *run) sameDraws() error {
	for first := 0; first < r.done; first += r.batch {
		random := rand.New(rand.NewPCG(r.seed, uint64(first)))
		theta := make([]float64, len(r.prior.Names()))
		for i := first; i < min(first+r.batch, r.done); i++ {
			r.prior.Draw(random, theta)
			for j, name := range r.prior.Names() {
				if math.Abs(theta[j]-r.theta[i][j]) > 1e-6*math.Abs(theta[j]) {
					return fmt.Errorf("infer.Simulate: Keep: row %d of %s has %s = %v, and the prior draws %v: it was made with another prior, seed or batch size; choose another file", i, r.path, name, r.theta[i][j], theta[j])
				}
			}
		}
	}
	return nil
}

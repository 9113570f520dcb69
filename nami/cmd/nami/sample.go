package main

import (
	"fmt"
	"math/rand/v2"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/modelfile"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/spf13/cobra"
)

func sampleCommand() *cobra.Command {
	var (
		o             options
		n             int
		seed          int64
		contexts, out string
	)
	cmd := &cobra.Command{
		Use:   "sample FILE",
		Short: "Draw samples from a model",
		Long: `Draws samples and writes them as a table whose columns have the names of the model's file,
or x0, x1 and so on. The columns of the context, if the model has one, stand beside them.

The context comes from a table with --context, n samples for each row, in the order of the
rows; or from --set name=value, once for each column. nami info lists the columns.

The table is CSV on standard output, or the file of -o in the format that its name ends in:
.csv, .csv.gz, .tsv, .tsv.gz, .npy, .npz or .parquet. It appears whole, or not at all.

The same seed gives the same samples, up to rounding on another backend.`,
		Example: `  nami sample model.safetensors -n 10
  nami sample model.safetensors -n 1000000 --seed 7 -o samples.parquet
  nami sample model.safetensors -n 100 --set energy=12.5 --set kind=electron -o electrons.csv
  nami sample model.safetensors -n 5 --context conditions.csv -o samples.npy`,
		Args: exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case n < 1:
				return usagef("-n is %d: expected at least 1", n)
			case contexts != "" && len(o.set) > 0:
				return usagef("there are --context and --set: expected one of them")
			}
			if !cmd.Flags().Changed("seed") {
				seed = rand.Int64N(1 << 53)
			}
			if err := checkOutput(out); err != nil {
				return err
			}
			f, columns, err := o.load(args[0])
			if err != nil {
				return err
			}
			table, err := o.sample(cmd, f, columns, contexts, n, seed)
			if err != nil {
				return err
			}
			if err := writeTable(table, out, cmd.OutOrStdout()); err != nil {
				return err
			}
			if out != "" && out != "-" {
				fmt.Fprintf(cmd.ErrOrStderr(), "%d samples are in %s; --seed %d draws them again\n", table.Len(), out, seed)
			}
			return nil
		},
	}
	cmd.Flags().IntVarP(&n, "n", "n", 1, "how many samples, for each row of the context")
	cmd.Flags().Int64Var(&seed, "seed", 0, "where the random numbers start (default: another one each time)")
	cmd.Flags().StringVar(&contexts, "context", "", "table with the columns of the context")
	cmd.Flags().StringVarP(&out, "out", "o", "", "file for the samples (default: CSV on standard output)")
	o.setFlag(cmd, "name=value for a column of the context; once for each")
	o.flags(cmd)
	return cmd
}

// sample draws n samples for each row of a context, as a table.
func (o *options) sample(cmd *cobra.Command, f *modelfile.File, columns data.Columns, contexts string, n int, seed int64) (*data.Table, error) {
	given, err := o.given(f, columns, contexts)
	if err != nil {
		return nil, err
	}
	backend, err := o.open(cmd.ErrOrStderr())
	if err != nil {
		return nil, err
	}
	var context, mask *tensors.Tensor
	rows := 1
	if given != nil {
		rows = given.Len()
		if f.Context != nil {
			if context, err = contextOf(f, columns, given); err != nil {
				return nil, err
			}
		}
		if len(columns.Mask) > 0 {
			if mask, err = maskOf(columns, given); err != nil {
				return nil, err
			}
		}
	}
	progress, done := bar(cmd.ErrOrStderr(), "sampling")
	defer done()
	process, err := f.Bind(backend, context, nami.Seed(seed), progress)
	if err == nil && mask != nil {
		process, err = process.Masked(mask)
	}
	if err != nil {
		return nil, err
	}
	samples, err := process.Seeded(seed).Sample(cmd.Context(), n)
	if err != nil {
		return nil, err
	}
	table, err := f.Table(byRow(samples, n, rows, shape.Size(f.Event)))
	if err != nil || given == nil {
		return table, err
	}
	return beside(table, given, append(contextNames(columns), columns.Mask...), n)
}

// given is the table with the context and the mask; nil if the model has neither.
func (o *options) given(f *modelfile.File, c data.Columns, path string) (*data.Table, error) {
	needs := contextNames(c)
	if f.Context == nil {
		needs = nil
	}
	switch {
	case len(needs)+len(c.Mask) == 0 && (path != "" || len(o.set) > 0):
		return nil, usagef("the model has no context: leave --context and --set out")
	case len(needs)+len(c.Mask) == 0:
		return nil, nil
	case path != "":
		given, err := data.Options{Columns: append(needs, c.Mask...)}.Read(path)
		if err == nil && given.Len() == 0 {
			err = fmt.Errorf("%s has no rows: expected one for each context to sample with", path)
		}
		return given, err
	case len(c.Mask) > 0:
		return nil, usagef("the model's events have a varying number of objects: give a table with --context whose columns %q say which there are", c.Mask)
	}
	return setTable(c, o.set)
}

// byRow is samples of shape (n, rows)+event as (rows·n, values): those of a row together.
func byRow(samples *tensors.Tensor, n, rows, values int) *tensors.Tensor {
	if rows == 1 {
		return reshaped(samples, []int{n, values})
	}
	var out *tensors.Tensor
	samples.MustConstFlatData(func(flat any) {
		switch flat := flat.(type) {
		case []float32:
			out = tensors.FromFlatDataAndDimensions(transposed(flat, n, rows, values), n*rows, values)
		case []float64:
			out = tensors.FromFlatDataAndDimensions(transposed(flat, n, rows, values), n*rows, values)
		}
	})
	return out
}

func transposed[T any](flat []T, n, rows, values int) []T {
	out := make([]T, 0, len(flat))
	for row := range rows {
		for i := range n {
			at := (i*rows + row) * values
			out = append(out, flat[at:at+values]...)
		}
	}
	return out
}

// beside is the table with columns of another, each row of which stands beside n rows.
func beside(table, given *data.Table, names []string, n int) (*data.Table, error) {
	rows := make([]int, 0, n*given.Len())
	for row := range given.Len() {
		for range n {
			rows = append(rows, row)
		}
	}
	given, err := given.Select(names...)
	if err == nil {
		given, err = given.Rows(rows...)
	}
	if err != nil {
		return nil, err
	}
	var columns []data.Column
	for _, name := range names {
		column, err := given.Column(name)
		if err != nil {
			return nil, err
		}
		columns = append(columns, column)
	}
	return table.With(columns...)
}

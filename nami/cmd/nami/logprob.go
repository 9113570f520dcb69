package main

import (
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/spf13/cobra"
)

func logProbCommand() *cobra.Command {
	var (
		o           options
		seed        int64
		column, out string
	)
	cmd := &cobra.Command{
		Use:   "logprob FILE TABLE",
		Short: "Add the log-densities of a table's rows",
		Long: `Gives the log-density in nats of each row of a table, under the model, and writes the table
with one column more. The table has the columns of the model's events, and of its context;
nami info lists them. Others stay as they are.

It is written as CSV to standard output, or to the file of -o in the format that its name
ends in: .csv, .csv.gz, .tsv, .tsv.gz, .npy, .npz or .parquet. The file appears whole, or
not at all.`,
		Example: `  nami logprob model.safetensors events.csv
  nami logprob model.safetensors events.parquet -o scored.parquet
  nami logprob model.safetensors images.npy --estimator hutchinson --seed 7 -o scored.npy`,
		Args: exactly("FILE", "TABLE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.checkEstimator(); err != nil {
				return err
			}
			if err := checkOutput(out); err != nil {
				return err
			}
			f, columns, err := o.load(args[0])
			if err != nil {
				return err
			}
			table, err := data.Read(args[1])
			if err != nil {
				return err
			}
			if slices.Contains(table.Names(), column) {
				return usagef("%s has a column %q: give another name with --column", args[1], column)
			}
			events, err := table.Events(columns)
			if err != nil {
				return err
			}
			context := events.Context
			if context != nil {
				context = reshaped(context, append([]int{table.Len()}, f.Context...))
			}
			backend, err := o.open(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			progress, done := bar(cmd.ErrOrStderr(), "log-densities")
			defer done()
			process, err := f.Bind(backend, context, nami.Seed(seed), progress)
			if err == nil && events.Mask != nil {
				process, err = process.Masked(events.Mask)
			}
			if err != nil {
				return err
			}
			estimator, err := o.chosen(process)
			if err != nil {
				return err
			}
			logProb, err := process.LogProb(cmd.Context(), reshaped(events.X, append([]int{table.Len()}, f.Event...)), estimator)
			if err != nil {
				return err
			}
			scored, err := table.With(scores(column, logProb))
			if err != nil {
				return err
			}
			done()
			if err := writeTable(scored, out, cmd.OutOrStdout()); err != nil {
				return err
			}
			if out != "" && out != "-" {
				fmt.Fprintf(cmd.ErrOrStderr(), "%d rows with %s are in %s\n", scored.Len(), column, out)
			}
			return nil
		},
	}
	cmd.Flags().Int64Var(&seed, "seed", 0, "where the random numbers of hutchinson start")
	cmd.Flags().StringVar(&column, "column", "logprob", "name of the column that is added")
	cmd.Flags().StringVarP(&out, "out", "o", "", "file for the table (default: CSV on standard output)")
	o.estimatorFlag(cmd)
	o.flags(cmd)
	return cmd
}

// scores is a column of log-densities.
func scores(name string, logProb *tensors.Tensor) (c data.Column) {
	logProb.MustConstFlatData(func(flat any) {
		switch values := flat.(type) {
		case []float32:
			c = data.NewColumn(name, slices.Clone(values))
		case []float64:
			c = data.NewColumn(name, slices.Clone(values))
		}
	})
	return c
}

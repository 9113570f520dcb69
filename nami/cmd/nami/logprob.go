package main

import (
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/data"

	"github.com/spf13/cobra"
)

func logProbCommand() *cobra.Command {
	var (
		s           scorer
		column, out string
	)
	cmd := &cobra.Command{
		Use:   "logprob FILE TABLE",
		Short: "Add the log-densities of a table's rows",
		Long: `Gives the log-density in nats of each row of a table, under the model, and writes the table
with one column more. The table has the columns of the model's events, and of its context;
nami info lists them. Others stay as they are.

A row that has no log-density, as a value is missing, infinite, or outside of what the model
is defined for, is an error; with --skip its log-density is missing, and such rows are counted.

A model that adds noise to events, as to counts and angles, has log-densities that depend on
the noise: each is that of one draw, and a lower bound on average. Two seeds show how much;
--draws 16 averages the densities of 16 draws, which is less noisy and closer to the truth.

The table is written as CSV to standard output, or to the file of -o in the format that its
name ends in: .csv, .csv.gz, .tsv, .tsv.gz, .npy, .npz or .parquet. The file appears whole, or
not at all.`,
		Example: `  nami logprob model.safetensors events.csv
  nami logprob model.safetensors events.parquet --skip --draws 16 -o scored.parquet
  nami logprob model.safetensors images.npy --estimator hutchinson --seed 7 -o scored.npy`,
		Args: exactly("FILE", "TABLE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.checkLogProb(); err != nil {
				return err
			}
			if err := checkOutput(out); err != nil {
				return err
			}
			var err error
			if s.file, s.columns, err = s.load(args[0]); err != nil {
				return err
			}
			if s.table, err = data.Read(args[1]); err != nil {
				return err
			}
			if slices.Contains(s.table.Names(), column) {
				return usagef("%s has a column %q: give another name with --column", args[1], column)
			}
			logProb, err := s.score(cmd)
			if err != nil {
				return err
			}
			scored, err := s.table.With(s.scores(column, logProb))
			if err != nil {
				return err
			}
			if err := writeTable(scored, out, cmd.OutOrStdout()); err != nil {
				return err
			}
			s.report(cmd.ErrOrStderr(), column)
			if out != "" && out != "-" {
				fmt.Fprintf(cmd.ErrOrStderr(), "%d rows with %s are in %s\n", scored.Len(), column, out)
			}
			return nil
		},
	}
	cmd.Flags().Int64Var(&s.seed, "seed", 0, "where random numbers start: the noise of models that add some to events, and the probes of hutchinson; other log-densities don't depend on it")
	cmd.Flags().BoolVar(&s.skip, "skip", false, "leave out the log-densities of rows that are incomplete, infinite, or outside of what the model is defined for")
	cmd.Flags().StringVar(&column, "column", "logprob", "name of the column that is added")
	cmd.Flags().StringVarP(&out, "out", "o", "", "file for the table (default: CSV on standard output)")
	s.drawsFlag(cmd)
	s.estimatorFlag(cmd)
	s.flags(cmd)
	return cmd
}

package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/modelfile"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/spf13/cobra"
)

func infoCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "info FILE",
		Short: "Say what is in a model's file",
		Long: `Says what a file holds: the model and its parts, the columns of events and contexts with
their units, the weights, and how they were trained.`,
		Example: `  nami info model.safetensors
  nami info --weights best model.safetensors`,
		Args: exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, columns, err := o.load(args[0])
			if err != nil {
				return err
			}
			return describe(cmd.OutOrStdout(), f, columns)
		},
	}
	o.weightsFlag(cmd)
	return cmd
}

// describe writes what is in a file, a line for each thing.
func describe(w io.Writer, f *modelfile.File, c data.Columns) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(out, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	line("model", "%v", f.Model)
	line("event", "%s: %s", shape.Format(f.Event), withUnits(f, c.X))
	if len(c.Mask) > 0 {
		line("objects", "%s say which there are", strings.Join(c.Mask, ", "))
	}
	if f.Context != nil {
		line("context", "%s: %s", shape.Format(f.Context), withUnits(f, contextNames(c)))
		for _, class := range c.Classes {
			line("classes", "%s: %s", class.Column, strings.Join(class.Names, ", "))
		}
	}
	tensors, values := 0, 0
	for v := range f.Store.IterVariables() {
		if v.Trainable {
			tensors, values = tensors+1, values+v.Shape().Size()
		}
	}
	line("weights", "%d values in %d tensors, %s", values, tensors, f.DType())
	if after := f.Training.After(f.Weights); after != "" {
		if strings.HasSuffix(after, "step "+strconv.Itoa(f.Training.Steps)) || f.Training.Weights != "" {
			line("", "%s", after)
		} else {
			line("", "%s: --weights %s", after, train.Best)
		}
	}
	if len(f.Weights) > 0 {
		line("other weights", "%s", strings.Join(f.Weights, ", "))
	}
	t := f.Training
	if t.Steps > 0 {
		line("training", "%d steps in %v, loss %.5g, seed %d", t.Steps, t.Duration.Round(time.Second), t.Loss, t.Seed)
	}
	if t.Validation != nil {
		line("validation", "loss %.5g after step %d", t.Validation.Loss, t.Validation.Steps)
	}
	if t.Stopped != "" {
		line("stopped", "%s", t.Stopped)
	}
	if !t.Finished.IsZero() {
		line("finished", "%s", t.Finished.Format(time.RFC3339))
	}
	var made []string
	for _, version := range [][2]string{{"nami", t.Nami}, {"GoMLX", t.GoMLX}, {"", t.Go}} {
		if version[1] != "" {
			made = append(made, strings.TrimSpace(version[0]+" "+version[1]))
		}
	}
	if len(made) > 0 {
		line("made with", "%s", strings.Join(made, ", "))
	}
	if f.Notes != "" {
		line("notes", "%s", strings.ReplaceAll(f.Notes, "\n", "\n\t"))
	}
	return out.Flush()
}

// withUnits are columns with their units. Of many only the first and the last are named.
func withUnits(f *modelfile.File, names []string) string {
	const most = 30
	var out []string
	for _, name := range names {
		if unit := f.Units[name]; unit != "" {
			name += " [" + unit + "]"
		}
		out = append(out, name)
	}
	if len(out) > most {
		out = slices.Concat(out[:most-1], []string{fmt.Sprintf("… (%d in all)", len(out)), out[len(out)-1]})
	}
	return strings.Join(out, ", ")
}

// about is what a server tells of a file.
func about(f *modelfile.File, c data.Columns) any {
	return struct {
		Columns  data.Columns       `json:"columns"`
		Units    map[string]string  `json:"units,omitempty"`
		Training modelfile.Training `json:"training"`
		Notes    string             `json:"notes,omitempty"`
	}{c, f.Units, f.Training, f.Notes}
}

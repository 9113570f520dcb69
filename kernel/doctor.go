package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/nami-flow/go-nami/kernel/internal/environment"

	"github.com/spf13/cobra"
)

// errUnhealthy says that doctor found something broken, and has printed what.
var errUnhealthy = errors.New("something that notebooks need is broken")

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say what is installed, and what to do about what isn't",
		Long: `Prints a table of every part that notebooks need, each with ok or what to do. It makes
and changes nothing. The exit code is 1 if something that is needed is broken.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			checks, err := environment.Examine(cmd.Context())
			if err != nil {
				return err
			}
			if err := table(os.Stdout, checks); err != nil {
				return err
			}
			return unhealthy(cmd.Context(), checks)
		},
	}
}

func table(out io.Writer, checks []environment.Check) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range checks {
		state := "ok"
		switch {
		case c.Cure != "" && c.Needed:
			state = "BROKEN"
		case c.Cure != "":
			state = "-"
		}
		text := c.Found
		if c.Cure != "" {
			text += ": " + c.Cure
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", c.Part, state, text)
	}
	return w.Flush()
}

func unhealthy(ctx context.Context, checks []environment.Check) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, c := range checks {
		if c.Needed && c.Cure != "" {
			return errUnhealthy
		}
	}
	return nil
}

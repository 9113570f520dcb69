package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/nami-flow/go-nami/nami/internal/table"

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitInterrupted = 130 // as shells say of SIGINT
)

// usageError is the error of a call that the command doesn't know.
type usageError struct{ error }

// usagef is a usageError.
func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// Unwrap is what is wrong with the call.
func (e usageError) Unwrap() error { return e.error }

// run is the command, with its arguments but for its name. It returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, problems io.Writer) int {
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(problems)
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(problems, "interrupted")
		return exitInterrupted
	case errors.As(err, &usage):
		fmt.Fprintf(problems, "nami: %s\nSee %s --help.\n", plain(err), called(root, args))
		return exitUsage
	}
	fmt.Fprintf(problems, "nami: %s\n", plain(err))
	return exitError
}

var (
	// prefix is what the library's errors begin with: the function that was called.
	prefix = regexp.MustCompile(`\b(?:nami|(?:data|modelfile|nami|serve|solver|train|transform)\.[A-Z]\w*(?:\.[A-Z]\w*)*|serve|modelfile): `)

	// ofTransform is a transform in an error's text.
	ofTransform = regexp.MustCompile(`\btransform\.([A-Z]\w*)`)

	// parsing is what is wrong with a number, as Go says it.
	parsing = regexp.MustCompile(`strconv\.Parse\w+: parsing "[^"]*": (.*)`)
)

// plain is an error for people who call the command, and needn't know the library.
func plain(err error) string {
	text := prefix.ReplaceAllString(table.Plain(err), "")
	text = ofTransform.ReplaceAllString(text, "the model's $1")
	return parsing.ReplaceAllStringFunc(text, func(match string) string {
		if strings.HasSuffix(match, "out of range") {
			return "the number is too large"
		}
		return "expected a whole number in digits, such as 1000"
	})
}

// called is the command that the arguments name, with those above it.
func called(root *cobra.Command, args []string) string {
	if cmd, _, err := root.Find(args); err == nil {
		return cmd.CommandPath()
	}
	return root.CommandPath()
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "nami",
		Short: "Generative models from files: look at them, sample, score, serve",
		Long: `nami works with model files, as modelfile.Save of the Go library writes them: flow matching
and diffusion models with all that it takes to use them.

It ends with 0 if all went well, 1 after an error, 2 if it was called in a way that it
doesn't know, and 130 after Ctrl-C.`,
		Example: `  nami info model.safetensors
  nami sample model.safetensors -n 1000 --seed 7 -o samples.parquet
  nami logprob model.safetensors events.csv -o scored.csv
  nami serve model.safetensors`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          known,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(infoCommand(), sampleCommand(), logProbCommand(), serveCommand())
	for _, cmd := range append(root.Commands(), root) {
		cmd.Args = checked(cmd.Args)
	}
	return root
}

// known refuses commands that there aren't, and says which one is like it.
func known(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	root.SuggestionsMinimumDistance = 2
	like := root.SuggestionsFor(args[0])
	if len(like) == 0 {
		for _, cmd := range root.Commands() {
			like = append(like, cmd.Name())
		}
		return fmt.Errorf("unknown command %q: expected one of %s", args[0], strings.Join(like, ", "))
	}
	return fmt.Errorf("unknown command %q: did you mean %s?", args[0], strings.Join(like, " or "))
}

// checked makes usage errors of what is wrong with a command's arguments.
func checked(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// exactly wants arguments of these names.
func exactly(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return fmt.Errorf("there are %d arguments: expected %d: %s", len(args), len(names), strings.Join(names, " and "))
		}
		return nil
	}
}

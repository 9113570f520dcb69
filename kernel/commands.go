package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nami-flow/go-nami/kernel/internal/environment"
	"github.com/nami-flow/go-nami/kernel/internal/notebook"
	"github.com/nami-flow/go-nami/kernel/internal/place"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// backendFlag adds --backend to a command.
func backendFlag(cmd *cobra.Command, backend *string) {
	cmd.Flags().StringVar(backend, "backend", "", "what notebooks compute on: go or xla (default: GOMLX_BACKEND, or XLA if it can be had)")
}

func installCommand() *cobra.Command {
	var backend string
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Install the kernel with all that notebooks need",
		Long: `Builds the kernel's programs, finds or installs Jupyter and XLA's plugin, fills Go's
caches, and installs the kernel Go (nami) for the user's Jupyter. What is there already
is left alone, what is missing or broken is made again.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			env, err := environment.Make(cmd.Context(), environment.Options{Backend: backend, Retry: true, Log: os.Stdout})
			if err != nil {
				return err
			}
			dir, err := env.InstallForUser(cmd.Context())
			if err != nil {
				return err
			}
			if err := env.WarmGopls(cmd.Context(), os.Stdout); err != nil {
				fmt.Printf("warning: the first completion in a kernel may be slow: %v\n", err)
			}
			if err := env.MakeFormulas(cmd.Context(), os.Stdout); err != nil {
				fmt.Printf("warning: the documentation's formulas will stay as TeX: %v\n", err)
			}
			fmt.Printf("the kernel %s is installed in %s; it computes on %s\n", environment.KernelDisplay, dir, env.Backend)
			return nil
		},
	}
	backendFlag(cmd, &backend)
	return cmd
}

func runCommand() *cobra.Command {
	var (
		backend string
		params  []string
		fresh   bool
		o       = notebook.Options{Output: os.Stdout, Terminal: term.IsTerminal(int(os.Stdout.Fd()))}
	)
	cmd := &cobra.Command{
		Use:   "run notebook|folder…",
		Short: "Execute notebooks",
		Long: `Makes the environment, executes the notebooks (those in a folder too, at any depth) and
writes each, as executed and as an HTML page, below the output folder. A cell that
doesn't compile, panics, exits non-zero, runs too long or has a shell line that fails
ends its notebook; what was executed is still written.

Each run trains afresh: $NAMI_STATE, where checkpoints go, is an empty folder. A notebook
that hasn't changed since it passed costs nothing: it isn't executed again unless its
cells or parameters changed, the packages it can import, go.mod, Go, Jupyter, the backend,
a variable NAMI_*, GOMLX_* or XLA_*, or a file that it reads: on Linux one in its folder or
below, and anywhere one whose name stands in its code or is said by nb.Reads. What it gets
from elsewhere, as from a network, needs --no-cache.
The exit code is 0 if all passed, 1 if not, and 130 after Ctrl-C.`,
		Example: `  go run ./kernel run books/examples/quickstart.ipynb
  go run ./kernel run -j 2 --timeout 5m books
  go run ./kernel run -j 2 --junit build/books.xml books
  go run ./kernel run --param steps=500 --param name=moons notebook.ipynb`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := complete(&o, params); err != nil {
				return err
			}
			root, err := place.Checkout(".")
			if err != nil {
				return err
			}
			sources, err := notebook.Find(root, o.Out, args)
			if err != nil {
				return err
			}
			if err := notebook.Check(sources, o); err != nil {
				return err
			}
			env, err := environment.Make(cmd.Context(), environment.Options{Backend: backend, Log: os.Stdout})
			if err != nil {
				return err
			}
			key, err := env.Fingerprint(cmd.Context())
			if err != nil {
				return err
			}
			o.Kept = notebook.Kept{Folder: filepath.Join(env.Cache, "runs"), Key: key, Fresh: fresh}
			return notebook.Run(cmd.Context(), env, sources, o)
		},
	}
	backendFlag(cmd, &backend)
	cmd.Flags().DurationVar(&o.Timeout, "timeout", 10*time.Minute, "the longest a cell may run")
	cmd.Flags().StringVar(&o.Out, "out", "build", "folder for the executed notebooks and pages")
	cmd.Flags().StringArrayVar(&params, "param", nil, "name=value for a variable that a cell with the tag \"parameters\" declares; repeatable")
	cmd.Flags().IntVarP(&o.Parallel, "jobs", "j", 1, "how many notebooks run at once")
	cmd.Flags().StringVar(&o.Report, "junit", "", "file for a report in JUnit's XML")
	cmd.Flags().BoolVar(&fresh, "no-cache", false, "execute what hasn't changed since it passed, too")
	cmd.Flags().BoolVar(&o.Rewrite, "write", false, "replace each notebook that passes by the executed one, to commit it with outputs")
	return cmd
}

// complete checks the options of run, and adds the parameters.
func complete(o *notebook.Options, params []string) error {
	if o.Timeout <= 0 {
		return fmt.Errorf("--timeout is %v: it must be positive, such as 10m", o.Timeout)
	}
	if o.Parallel < 1 {
		return fmt.Errorf("-j is %d: at least one notebook must run at once", o.Parallel)
	}
	if o.Rewrite && len(params) > 0 {
		return errors.New("--write and --param exclude each other: the notebook would be committed with other parameters than it shows")
	}
	o.Parameters = map[string]string{}
	for _, p := range params {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return fmt.Errorf("--param is %q: expected name=value", p)
		}
		if _, twice := o.Parameters[name]; twice {
			return fmt.Errorf("--param gives %s twice", name)
		}
		o.Parameters[name] = value
	}
	return nil
}

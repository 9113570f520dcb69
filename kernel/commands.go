package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nami-flow/go-nami/kernel/internal/environment"
	"github.com/nami-flow/go-nami/kernel/internal/notebook"

	"github.com/spf13/cobra"
)

// backendFlag adds --backend to a command.
func backendFlag(cmd *cobra.Command, backend *string) {
	cmd.Flags().StringVar(backend, "backend", "", "what notebooks compute on: go or xla (xla if its plugin can be had)")
}

func installCommand() *cobra.Command {
	var backend string
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Install the kernel, with all that notebooks need",
		Long:  "Builds the kernel's programs, finds or installs Jupyter and XLA's plugin, and installs the\nkernel Go (nami) for the user's Jupyter. Run again it mends what is missing.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			env, err := environment.Make(cmd.Context(), environment.Options{Backend: backend, Log: os.Stdout})
			if err != nil {
				return err
			}
			dir, err := env.InstallForUser()
			if err != nil {
				return err
			}
			fmt.Printf("the kernel Go (nami) is installed in %s, on the backend %s\n", dir, env.Backend)
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
		o       = notebook.Options{Output: os.Stdout}
	)
	cmd := &cobra.Command{
		Use:   "run notebooks…",
		Short: "Execute notebooks, files or folders",
		Long:  "Makes the environment, executes the notebooks, and writes each, as executed and as an HTML\npage, below the output folder. The exit code is 1 if one fails.",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Timeout <= 0 || o.Parallel < 1 {
				return fmt.Errorf("--timeout is %v and -j %d: both must be positive", o.Timeout, o.Parallel)
			}
			o.Parameters = map[string]string{}
			for _, p := range params {
				name, value, ok := strings.Cut(p, "=")
				if !ok || name == "" {
					return fmt.Errorf("--param %q: expected name=value", p)
				}
				o.Parameters[name] = value
			}
			notebooks, err := notebook.Find(args)
			if err != nil {
				return err
			}
			env, err := environment.Make(cmd.Context(), environment.Options{Backend: backend, Log: os.Stdout})
			if err != nil {
				return err
			}
			return notebook.Run(cmd.Context(), env, notebooks, o)
		},
	}
	backendFlag(cmd, &backend)
	cmd.Flags().DurationVar(&o.Timeout, "timeout", 10*time.Minute, "the longest a cell may run")
	cmd.Flags().StringVar(&o.Out, "out", "build", "folder for the executed notebooks and pages")
	cmd.Flags().StringArrayVar(&params, "param", nil, "name=value for the cell tagged parameters; repeatable")
	cmd.Flags().IntVarP(&o.Parallel, "jobs", "j", 1, "how many notebooks run at once")
	cmd.Flags().BoolVar(&o.Rewrite, "write", false, "also replace each notebook by the executed one, to commit it with outputs")
	return cmd
}

func labCommand() *cobra.Command {
	var backend string
	cmd := &cobra.Command{
		Use:   "lab [notebook] [-- arguments for jupyter lab]",
		Short: "Open JupyterLab with the kernel",
		RunE: func(cmd *cobra.Command, args []string) error {
			own, more := args, []string(nil)
			if dash := cmd.ArgsLenAtDash(); dash >= 0 {
				own, more = args[:dash], args[dash:]
			}
			if len(own) > 1 {
				return fmt.Errorf("lab opens one notebook, %d were given", len(own))
			}
			env, err := environment.Make(cmd.Context(), environment.Options{Backend: backend, Log: os.Stdout})
			if err != nil {
				return err
			}
			target := filepath.Join(env.Root, "books")
			if len(own) == 1 {
				target = own[0]
			}
			if _, err := os.Stat(target); err != nil {
				return fmt.Errorf("there is no %s: give a notebook or a folder", target)
			}
			lab := exec.CommandContext(cmd.Context(), env.Python, append([]string{"-m", "jupyterlab", target}, more...)...)
			lab.Stdin, lab.Stdout, lab.Stderr = os.Stdin, os.Stdout, os.Stderr
			lab.Env = append(os.Environ(), "JUPYTER_PATH="+env.Specs)
			lab.Cancel = func() error { return lab.Process.Signal(syscall.SIGTERM) } // Jupyter asks at an interrupt
			lab.WaitDelay = 10 * time.Second
			return lab.Run()
		},
	}
	backendFlag(cmd, &backend)
	return cmd
}

var errUnhealthy = errors.New("something that notebooks need is broken")

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/nami-flow/go-nami/kernel/internal/environment"
	"github.com/nami-flow/go-nami/kernel/internal/place"
	"github.com/nami-flow/go-nami/kernel/internal/process"

	"github.com/spf13/cobra"
)

func labCommand() *cobra.Command {
	var backend string
	cmd := &cobra.Command{
		Use:   "lab [notebook|folder] [-- arguments for jupyter lab]",
		Short: "Open JupyterLab with the kernel",
		Long: `Makes the environment and starts JupyterLab in books, or on what is given. Several can
run at once: where the port is in use, the next free one is taken.`,
		Example: `  go run ./kernel lab
  go run ./kernel lab books/examples/quickstart.ipynb -- --no-browser --port=8890`,
		RunE: func(cmd *cobra.Command, args []string) error {
			own, more := args, []string(nil)
			if dash := cmd.ArgsLenAtDash(); dash >= 0 {
				own, more = args[:dash], args[dash:]
			}
			if len(own) > 1 {
				return fmt.Errorf("lab opens one notebook or folder, and %d were given; what is for jupyter lab goes behind --", len(own))
			}
			root, err := place.Checkout(".")
			if err != nil {
				return err
			}
			target := filepath.Join(root, "books")
			if len(own) == 1 {
				target = own[0]
			}
			if _, err := os.Stat(target); err != nil {
				return fmt.Errorf("there is no %s (%w): give a notebook or a folder", target, err)
			}
			if more, err = labArguments(more, os.Geteuid() == 0); err != nil {
				return err
			}
			env, err := environment.Make(cmd.Context(), environment.Options{Backend: backend, Log: os.Stdout})
			if err != nil {
				return err
			}
			if err := env.WarmGopls(cmd.Context(), os.Stdout); err != nil {
				fmt.Printf("warning: the first completion in a kernel may be slow: %v\n", err)
			}
			// SIGTERM, as Jupyter asks whether it is meant at an interrupt.
			lab := process.Command(cmd.Context(), syscall.SIGTERM, env.Python, append([]string{"-m", "jupyterlab", target}, more...)...)
			if lab.Env, err = env.LabEnv(); err != nil {
				return err
			}
			lab.Stdout, lab.Stderr = os.Stdout, os.Stderr
			err = lab.Run()
			process.Sweep(lab)
			if err != nil && cmd.Context().Err() == nil {
				return fmt.Errorf("JupyterLab ended with %w; its last lines, above, say why", err)
			}
			return err
		},
	}
	backendFlag(cmd, &backend)
	return cmd
}

// jupyterPort is where JupyterLab serves unless it is told otherwise.
const jupyterPort = 8888

// labArguments refuses what JupyterLab would refuse after many lines, and gives it a free
// port where the one it would take is in use.
func labArguments(arguments []string, root bool) ([]string, error) {
	asked := func(name string) bool {
		return slices.ContainsFunc(arguments, func(a string) bool { return a == name || strings.HasPrefix(a, name+"=") })
	}
	if root && !asked("--allow-root") && !asked("--ServerApp.allow_root") {
		return nil, errors.New("JupyterLab doesn't run as root unless told to: go run ./kernel lab -- --allow-root")
	}
	port, rest := jupyterPort, []string(nil)
	for i := 0; i < len(arguments); i++ {
		name, value, ok := strings.Cut(arguments[i], "=")
		if name != "--port" && name != "--ServerApp.port" {
			rest = append(rest, arguments[i])
			continue
		}
		if !ok && i+1 < len(arguments) {
			i++
			value = arguments[i]
		}
		var err error
		if port, err = strconv.Atoi(value); err != nil || port < 0 || port > 65535 {
			return nil, fmt.Errorf("%s is %q: expected a number from 1 to 65535, or 0 for any port", name, value)
		}
	}
	if port == 0 {
		return arguments, nil
	}
	listener, err := listen(port)
	if err != nil {
		return nil, err
	}
	free := listener.Addr().(*net.TCPAddr).Port // a TCP listener's address
	if err := listener.Close(); err != nil {
		return nil, err
	}
	return append(rest, fmt.Sprintf("--port=%d", free)), nil
}

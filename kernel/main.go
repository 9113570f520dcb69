// Command kernel makes the environment of nami's notebooks, opens them in JupyterLab
// and executes them from scripts. `go run ./kernel --help` lists its commands.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/nami-flow/go-nami/kernel/internal/notebook"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	root := &cobra.Command{
		Use:           "kernel",
		Short:         "The notebook workbench of nami",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(installCommand(), runCommand(), labCommand(), doctorCommand())
	err := root.ExecuteContext(ctx)
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case interrupted:
		fmt.Fprintln(os.Stderr, "interrupted")
		os.Exit(130)
	case errors.Is(err, notebook.ErrFailed), errors.Is(err, errUnhealthy):
		os.Exit(1) // what failed has been printed
	case err != nil:
		fmt.Fprintln(os.Stderr, "kernel:", err)
		os.Exit(1)
	}
}

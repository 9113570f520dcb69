// Command kernel makes the environment of nami's notebooks and runs notebooks in it:
//
//	go run ./kernel run books/examples/quickstart.ipynb
//
// `go run ./kernel --help` lists its commands.
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
	context.AfterFunc(ctx, stop) // a second Ctrl-C doesn't wait for what the first one ends
	root := &cobra.Command{
		Use:   "kernel",
		Short: "The notebook workbench of nami",
		Long: `Makes the environment of nami's notebooks (the kernel Go (nami), Jupyter and XLA's
plugin), opens notebooks in JupyterLab and executes them from scripts.

What it makes is in $NAMI_CACHE, or nami in the user's cache folder, and can be removed
at any time: the next command makes what it needs again.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(installCommand(), runCommand(), labCommand(), docsCommand(), doctorCommand())
	err := root.ExecuteContext(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "interrupted")
		os.Exit(130)
	case errors.Is(err, notebook.ErrFailed), errors.Is(err, errUnhealthy):
		os.Exit(1) // what failed has been printed
	case err != nil:
		fmt.Fprintln(os.Stderr, "kernel:", err)
		os.Exit(1)
	}
}

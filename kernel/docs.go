package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nami-flow/go-nami/kernel/internal/environment"
	"github.com/nami-flow/go-nami/kernel/internal/place"
	"github.com/nami-flow/go-nami/kernel/internal/site"

	"github.com/spf13/cobra"
)

func docsCommand() *cobra.Command {
	var (
		out   string
		serve bool
		port  int
	)
	cmd := &cobra.Command{
		Use:   "docs",
		Short: "Build the documentation as static pages",
		Long: `Builds the concepts, the gallery of the committed notebooks, the API reference from the
doc comments, and a search over all of it. The pages need neither a network nor a server:
open index.html. A dead link is an error.`,
		Example: `  go run ./kernel docs
  go run ./kernel docs --serve --port 8001`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if port < 1 || port > 65535 {
				return fmt.Errorf("--port is %d: expected 1 to 65535", port)
			}
			root, err := place.Checkout(".")
			if err != nil {
				return err
			}
			start := time.Now()
			if err := buildSite(cmd.Context(), root, out); err != nil {
				return err
			}
			fmt.Printf("wrote %s in %.1f s\n", filepath.Join(out, "index.html"), time.Since(start).Seconds())
			if !serve {
				return nil
			}
			return serveSite(cmd.Context(), out, port)
		},
	}
	cmd.Flags().StringVar(&out, "out", filepath.Join("build", "docs"), "folder for the pages")
	cmd.Flags().BoolVar(&serve, "serve", false, "then serve them on this machine, until Ctrl-C")
	cmd.Flags().IntVar(&port, "port", 8000, "where to serve; the next free port if it is in use")
	return cmd
}

// buildSite builds the pages; what typesets formulas is got once. Without it, and without
// a network, they stay as TeX.
func buildSite(ctx context.Context, root, out string) error {
	options := site.Options{Root: root, Out: out}
	cache, err := place.Cache()
	if err != nil {
		return err
	}
	env := &environment.Environment{Root: root, Cache: cache}
	err = env.MakeFormulas(ctx, os.Stdout)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		fmt.Printf("warning: formulas stay as TeX, as what typesets them can't be had: %v\n", err)
	default:
		options.Typeset = env.TypesetFormulas
	}
	return site.Build(ctx, options)
}

// serveSite serves a folder until ctx ends.
func serveSite(ctx context.Context, dir string, port int) error {
	listener, err := listen(port)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.FileServer(http.Dir(dir)), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() }) // nobody waits for what is under way
	fmt.Printf("serving %s on http://%s/ (Ctrl-C ends it)\n", dir, listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// tries is how many ports [listen] tries.
const tries = 50

// listen opens a port on this machine: the given one, or the next that is free.
func listen(port int) (net.Listener, error) {
	var first error
	for p := port; p < port+tries && p <= 65535; p++ {
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p)))
		if err == nil {
			if p != port {
				fmt.Printf("port %d is in use, so it is port %d\n", port, p)
			}
			return listener, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, fmt.Errorf("port %d and those after it can't be had: %w: give another by --port", port, first)
}

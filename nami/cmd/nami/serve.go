package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/modelfile"
	"github.com/nami-flow/go-nami/nami/serve"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/spf13/cobra"
)

func serveCommand() *cobra.Command {
	var (
		o       options
		address string
		config  serve.Config
	)
	cmd := &cobra.Command{
		Use:   "serve FILE",
		Short: "Answer requests for samples and log-densities over HTTP",
		Long: `Serves a model over HTTP until it gets SIGINT or SIGTERM; then it answers what is in flight
and takes nothing new. It listens on 127.0.0.1 alone unless --listen names another host.

POST /sample takes {"context": {"energy": 2, "kind": "muon"}, "n": 10, "seed": 7}, POST
/logprob {"x": [...], "context": {...}}, both arrays of numbers and NumPy arrays too; GET / says what is served, /healthz that it lives,
/readyz that it takes requests, and /metrics is for Prometheus. The documentation of the
package nami/serve has all of it.

What clients ask for is joined into batches of the sizes of --batches. With one size an
answer doesn't depend, to the bit, on what else is asked for; with several, up to rounding.`,
		Example: `  nami serve model.safetensors
  nami serve model.safetensors --listen :9000 --batches 64,1024 --timeout 10s
  nami serve model.safetensors --listen 0.0.0.0:8080
  curl -d '{"n": 3, "seed": 7}' -H 'Content-Type: application/json' localhost:8080/sample`,
		Args: exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.checkLogProb(); err != nil {
				return err
			}
			f, columns, err := o.load(args[0])
			if err != nil {
				return err
			}
			handler, err := o.handler(cmd, f, columns, config)
			if err != nil {
				return err
			}
			listener, err := serve.Listen(address)
			if err != nil {
				return errors.Join(err, handler.Close(cmd.Context()))
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "nami: http://%s warms up; /readyz says when it is ready\n", listener.Addr())
			ctx := cmd.Context()
			stop := context.AfterFunc(ctx, func() {
				fmt.Fprintln(cmd.ErrOrStderr(), "nami: stopping: what is in flight is answered")
			})
			defer stop()
			return handler.Serve(ctx, listener)
		},
	}
	cmd.Flags().StringVar(&address, "listen", "127.0.0.1:8080", "host:port to listen on; without a host 127.0.0.1, 0.0.0.0 for all addresses")
	cmd.Flags().IntSliceVar(&config.Batches, "batches", nil, "how many events are computed at once: one size or several, rising (default 32,256,2048; larger ones suit a GPU)")
	cmd.Flags().IntVar(&config.MaxEvents, "max-events", 0, "most events of one request (default 10000)")
	cmd.Flags().IntVar(&config.Queue, "queue", 0, "most events that may wait; more are refused with 429 (default 65536)")
	cmd.Flags().DurationVar(&config.Timeout, "timeout", 0, "the longest that a request may take (default 1m)")
	cmd.Flags().DurationVar(&config.Grace, "grace", 0, "how long to wait for answers in flight when it stops (default 30s)")
	o.setFlag(cmd, "name=value for a column of an example of a context, to warm up with, in place of one that the model tells; once for each")
	o.estimatorFlag(cmd)
	o.drawsFlag(cmd)
	o.flags(cmd)
	return cmd
}

// handler makes the handler of a model.
func (o *options) handler(cmd *cobra.Command, f *modelfile.File, columns data.Columns, config serve.Config) (*serve.Handler, error) {
	backend, err := o.open(cmd.ErrOrStderr())
	if err != nil {
		return nil, err
	}
	process, err := o.example(f, columns, backend)
	if err == nil && len(columns.Mask) > 0 {
		process, err = process.Masked(filled(f, 1, len(columns.Mask)))
	}
	if err != nil {
		return nil, err
	}
	if config.Estimator, err = o.chosen(process); err != nil {
		return nil, err
	}
	config.About, config.Columns = about(f, columns), columns
	config.Ready = func() { fmt.Fprintln(cmd.ErrOrStderr(), "nami: ready") }
	return serve.NewHandler(process, config)
}

// example binds a model to an example of a context, which its programs are compiled with.
func (o *options) example(f *modelfile.File, columns data.Columns, backend compute.Backend) (*nami.Process, error) {
	if f.Context == nil {
		return f.Bind(backend, nil, o.averaged())
	}
	if len(o.set) > 0 {
		table, err := setTable(columns, o.set)
		if err != nil {
			return nil, err
		}
		context, err := contextOf(f, columns, table)
		if err != nil {
			return nil, err
		}
		return f.Bind(backend, reshaped(context, f.Context), o.averaged())
	}
	context, err := f.Example()
	var process *nami.Process
	if err == nil {
		process, err = f.Bind(backend, context, o.averaged())
	}
	if err != nil {
		return nil, fmt.Errorf("no example of a context was found, give one with --set: %w", err)
	}
	return process, nil
}

// filled is a tensor of one value in the dtype of a file's weights.
func filled(f *modelfile.File, value float64, dims ...int) *tensors.Tensor {
	if f.DType() == dtypes.Float64 {
		return tensors.FromScalarAndDimensions(value, dims...)
	}
	return tensors.FromScalarAndDimensions(float32(value), dims...)
}

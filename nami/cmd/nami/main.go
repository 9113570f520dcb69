// Command nami works with model files: it says what is in one, draws samples, gives
// log-densities of a table, and serves a model over HTTP.
//
//	nami info model.safetensors
//	nami sample model.safetensors -n 1000 --seed 7 -o samples.parquet
//	nami logprob model.safetensors events.csv -o scored.csv
//	nami serve model.safetensors
//
// `nami --help` lists its commands, and `nami sample --help` what one of them takes. It ends
// with 0 if all went well, 1 after an error, 2 if it was called in a way that it doesn't
// know, and 130 after Ctrl-C; a server that is told to stop and answers all that it has ends
// with 0.
//
// Built with CGO_ENABLED=0 it is one static file, which computes in pure Go, several times
// slower than XLA.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C doesn't wait for what the first one ends
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

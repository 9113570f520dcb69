package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// Limits of what a connection may take, whoever it is.
const (
	headerTime  = 10 * time.Second
	idleTime    = 2 * time.Minute
	headerBytes = 64 << 10
	connections = 4096
)

// Listen listens on a TCP address: 127.0.0.1:8080 if it is empty, and on 127.0.0.1 alone if
// it names no host, as ":9000". For all addresses of the machine, name them:
// "0.0.0.0:9000" or "[::]:9000".
func Listen(address string) (net.Listener, error) {
	if address == "" {
		address = ":8080"
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("serve: the address %q isn't one to listen on (%w): expected host:port, such as 127.0.0.1:8080", address, err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	return l, nil
}

// Serve answers requests on a listener, which it closes, until ctx is done. It warms up
// first, and is live but not ready meanwhile. When ctx is done, it answers what is in flight,
// and takes nothing new; it returns nil if all was answered, and within Config.Grace in any
// case. Afterwards the batcher is closed.
func (h *Handler) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: headerBytes,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(netutil.LimitListener(l, connections)) }()

	warming, stopWarming := context.WithCancel(ctx)
	defer stopWarming()
	warm := make(chan error, 1)
	go func() {
		if h.ready.Load() {
			warm <- nil
			return
		}
		warm <- h.Warm(warming)
	}()

	var failed error
	for waiting := true; waiting; {
		select {
		case err := <-warm:
			if warm = nil; err != nil && ctx.Err() == nil {
				failed, waiting = err, false
			}
		case err := <-served:
			failed, waiting = fmt.Errorf("serve: %w", err), false
			served <- http.ErrServerClosed
		case <-ctx.Done():
			waiting = false
		}
	}
	stopWarming()
	h.stopping.Store(true)
	grace, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), h.config.Grace, fmt.Errorf("not all was answered within the %v that it has after it is told to stop", h.config.Grace))
	defer cancel()
	err := server.Shutdown(grace)
	if err != nil {
		err = fmt.Errorf("serve: stopped with requests in flight: %w", context.Cause(grace))
	}
	// With no time left, what is still computed ends with an error, and so do its requests.
	err = errors.Join(failed, err, h.Close(grace))
	_ = server.Close()
	if stopped := <-served; !errors.Is(stopped, http.ErrServerClosed) {
		err = errors.Join(err, stopped)
	}
	return err
}

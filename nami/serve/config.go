package serve

import (
	"fmt"
	"slices"
	"time"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/divergence"
)

// Config says how a process is served. The zero value is the usual one.
type Config struct {
	// Batches are the numbers of events that are computed at once, rising; 32, 256 and 2048 if
	// nil, which suits CPUs, where XLA uses several cores for the largest alone. A GPU needs
	// larger ones. What is asked for is joined into batches of these sizes and filled up,
	// so that a program is compiled for each size and none later. With one size an answer can be
	// the same to the bit, whatever else was asked for: see the package's comment.
	Batches []int

	// Queue is how many events may wait to be computed; 65,536 if 0. A call for which there is
	// no room is refused at once.
	Queue int

	// MaxEvents is how many events one call may ask for, those of all its contexts together;
	// 10,000 if 0, and Queue at most.
	MaxEvents int

	// MaxBody is how many bytes the body of a request may have; 8 MiB if 0.
	MaxBody int64

	// Memory is how many bytes of bodies and answers may be held at once, by an estimate from
	// their sizes; 256 MiB if 0. A request for which there is no room is refused at once.
	Memory int64

	// Timeout is how long a request may take, from its header to the last event; 1 minute if
	// 0. A client can ask for less.
	Timeout time.Duration

	// Stall is how long a client may take to send the body of a request, and to take each MiB
	// of its answer; 20 seconds if 0. Then the connection is closed.
	Stall time.Duration

	// Grace is how long [Handler.Serve] waits, once it is told to stop, for the answers to what
	// is in flight; 30 seconds if 0.
	Grace time.Duration

	// Estimator is that of log-densities, as in [nami.Process.LogProb]. What it refuses, as a
	// solver of stochastic equations, is served without log-densities.
	Estimator divergence.Estimator

	// Columns are the names of the values of events and contexts, such as modelfile.File.Columns.
	// With them a context can be given by names in JSON, errors name columns, and contexts whose
	// classes aren't one-hot are refused. The zero value says nothing.
	Columns data.Columns

	// Ready, if not nil, is called once all programs are compiled, before the first answer.
	Ready func()

	// About, if not nil, describes what is served: GET / returns it, as JSON.
	About any
}

// withDefaults is c with its zeros filled in, or what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	if c.Batches == nil {
		c.Batches = []int{32, 256, 2048}
	}
	for i, size := range c.Batches {
		if size < 1 || i > 0 && size <= c.Batches[i-1] {
			return c, fmt.Errorf("serve: Batches is %v: expected rising numbers from 1 on", c.Batches)
		}
	}
	if len(c.Batches) == 0 {
		return c, fmt.Errorf("serve: Batches is empty: give at least one size, or nil for the usual ones")
	}
	for _, n := range []struct {
		name  string
		value *int
		usual int
	}{{"Queue", &c.Queue, 65_536}, {"MaxEvents", &c.MaxEvents, 10_000}} {
		if *n.value < 0 {
			return c, fmt.Errorf("serve: %s is %d: expected at least 1, or 0 for %d", n.name, *n.value, n.usual)
		}
		if *n.value == 0 {
			*n.value = n.usual
		}
	}
	c.MaxEvents = min(c.MaxEvents, c.Queue)
	for _, n := range []struct {
		name  string
		value *int64
		usual int64
	}{{"MaxBody", &c.MaxBody, 8 << 20}, {"Memory", &c.Memory, 256 << 20}} {
		if *n.value < 0 {
			return c, fmt.Errorf("serve: %s is %d bytes: expected at least 1, or 0 for %d", n.name, *n.value, n.usual)
		}
		if *n.value == 0 {
			*n.value = n.usual
		}
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		usual time.Duration
	}{{"Timeout", &c.Timeout, time.Minute}, {"Stall", &c.Stall, 20 * time.Second}, {"Grace", &c.Grace, 30 * time.Second}} {
		if *d.value < 0 {
			return c, fmt.Errorf("serve: %s is %v: expected a time, or 0 for %v", d.name, *d.value, d.usual)
		}
		if *d.value == 0 {
			*d.value = d.usual
		}
	}
	if held := bodyCost * c.MaxBody; held > c.Memory {
		return c, fmt.Errorf("serve: a body of MaxBody, %d bytes, takes about %d while it is read, and Memory is %d: raise Memory, or lower MaxBody", c.MaxBody, held, c.Memory)
	}
	c.Batches = slices.Clone(c.Batches)
	return c, nil
}

// Package serve answers many callers of one model at once: in a program of Go by a
// [Batcher], and over HTTP by a [Handler].
//
//	process, err := flow.Bind(backend, store, example)
//	handler, err := serve.NewHandler(process, serve.Config{})
//	listener, err := serve.Listen("127.0.0.1:8080")
//	err = handler.Serve(ctx, listener) // until ctx is done, and all in flight is answered
//
// # Requests
//
// POST /sample draws samples, POST /logprob gives log-densities in nats. The body is JSON
// (application/json), one NumPy array (application/x-npy), or several with names in a zip
// file (application/x-npz), and the answer is JSON or a NumPy array: what Accept asks for,
// or else what the body is.
//
//	curl -H 'Content-Type: application/json' -d '{"context": [1.5], "n": 3, "seed": 7}' localhost:8080/sample
//	{"samples":[[0.1,-1.2],[0.4,0.9],[1.1,0.2]],"seed":7}
//
// These are the fields of JSON and the names of arrays; n, seed and timeout can stand in the
// query, and must if the body isn't JSON. One array alone is the context of samples, and x of
// log-densities.
//
//   - context: batch_shape+context_shape, if the model has a context. With Config.Columns JSON may
//     have {"energy": 1.5, "kind": "gluon"} for one, or a list of such objects; in numbers a class
//     is one-hot, in the order of its names, and anything else is refused.
//   - mask: batch_shape+[objects], if the process is a masked one.
//   - n: how many samples are drawn for each context; 1 without.
//   - x: the events of log-densities, of shape sample_shape+batch_shape+event_shape.
//   - seed: a whole number that makes the answer reproducible. Without one the server takes
//     its own. Either comes back with the answer, in the header Nami-Seed too.
//   - timeout: how long the answer may take, as 500ms or 2s. What isn't computed by then isn't
//     any more; nor is what a client asked for that has gone.
//
// Samples have the shape (n)+batch_shape+event_shape, log-densities sample_shape+batch_shape.
// NaN and infinite numbers are no numbers in JSON: none is taken, and where a log-density is
// -Inf, as it is outside of a uniform base, the answer is an error unless it is asked for as a
// NumPy array.
//
// GET / says what is served and within which limits. With "noisy" log-densities depend on the
// seed, as the model adds noise to events, or as they are estimates: see nami.Process.LogProb, and
// nami.Draws for the process that is served. GET /healthz is 200 while the server
// lives, GET /readyz while it takes requests: not before it has compiled its programs, and
// not while it stops. GET /metrics is for Prometheus.
//
// # Errors
//
// They are JSON: {"error": "n is 0: expected …"}. The status is 400 for what can't be asked,
// 406 and 415 for types that aren't known, 408 for a body that doesn't come, 413 for what is
// too large, 422 where events became NaN or can't be written, 429 with Retry-After where the
// queue or the memory is full, 501 for log-densities of a process without them, 503 with
// Retry-After before the server is ready and while it stops, 504 where the time is over, and
// 500 for all that is the server's fault.
//
// # One answer in any company
//
// What is asked for is joined into batches of a few sizes (Config.Batches), each event with
// its own context and random numbers. The random numbers of an event depend on the seed and
// on its place in the answer, and on nothing else, to the bit. What is computed from them does
// so up to rounding, as products of matrices may be summed in another order in a batch of
// another size, or at another place in it. With one size of batches, XLA computes the same to
// the bit on a CPU, whatever else is in the batch. In measurements (a network of three layers of
// 128 in Float32, 20 steps of RK4, batches of 1 to 2048, values around 1) it was the same to the
// bit in all sizes from 8 on, and 2·10⁻⁷ off in a batch of 1; pure Go was 3·10⁻⁸ off in the last
// rows of small batches. A solver that chooses its steps can amplify that, up to its tolerances.
package serve

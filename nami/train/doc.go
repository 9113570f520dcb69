// Package train fits a model to data and keeps what it learned.
//
// [Fit] with a [Checkpoint] is idempotent: run again it resumes where it stopped, or
// returns at once when it is done. [Load] brings the weights into another program, or
// another cell of a notebook, for sampling:
//
//	history, err := train.Fit(ctx, backend, store, loss, data, train.Steps(2_000), train.Checkpoint("moons"))
//	…
//	err := train.Load(store, "moons")
package train

// Package train fits a model to data and keeps what it learned.
//
// [Fit] with a [Checkpoint] is idempotent: run again it resumes where it stopped, or
// returns at once when it is done; more [Steps] continue it. On one backend, a run that
// was interrupted ends with the same bits as one that wasn't. [Load] brings the weights
// into another program, or another cell of a notebook, for sampling:
//
//	history, err := train.Fit(ctx, backend, store, loss, data, train.Steps(2_000), train.Checkpoint("moons"))
//	…
//	err := train.Load(store, "moons")
//
// A checkpoint is a folder with the newest two states of a run, each one file in the
// safetensors format, which other tools read too. It belongs to its run: to the loss,
// the data, the seed, the batch size and the learning rate. [Fit] with others refuses
// it and says what differs; it never deletes or overwrites another run's work.
//
// [Trainer] makes single steps or bursts of them, for loops of one's own, and [Save] keeps
// what they learned.
package train

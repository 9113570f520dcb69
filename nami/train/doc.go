// Package train fits a model to events and keeps what it learned.
//
//	events := data.Events{X: points}
//	history, err := train.Fit(ctx, backend, store, loss, events, train.Steps(2_000), train.Checkpoint("moons"))
//	…
//	history, err := train.Load(store, "moons") // in another program, or another cell of a notebook
//
// # Fits that are kept
//
// [Fit] with a [Checkpoint] is idempotent: run again it resumes where it stopped, or returns
// at once when it is done, which the [History] says. On one backend, a run that was
// interrupted ends with the same bits as one that wasn't, whatever options it has. More [Steps]
// continue a run whose rate is [Constant]; by default the rate falls to 0 over the steps, and
// what goes on from there is another run: [Load] its weights, and fit them under another name.
//
// A checkpoint is a folder with the newest two states of a run, each one file in the
// safetensors format, which other tools read too. It belongs to its run: to the code of the
// loss, of its field and of all else that a step is built from, to the data, the seed and
// the options. [Fit] with others refuses it and says what differs; it never deletes or
// overwrites another run's work. The code is compared by the graph that it builds, which is
// the same in another process and on another backend.
//
// [Load] brings the weights of a checkpoint into a store: the last ones, a moving [Average]
// by its name, or the [Best] of a [Validation]; [Weights] does so in memory. Where the loss
// tells its field ([loss.OfField]), they know what they were trained as, and binding them to
// another network is an error. With [Describe] a checkpoint holds the model, too, for programs
// that don't know its Go types (package modelfile).
//
// # Data, and one fit after another
//
// Batches come from a [data.Source]: [data.Events] in memory, a function, or a stream. One
// fit after another on a store, or on weights that were loaded, goes on to new batches and
// noise; see [FirstBatch].
//
// # Loops of your own
//
// [Trainer] makes single steps or bursts of them on batches that it is given, with the same
// options, [Save] keeps what they learned, and an [Evaluator] measures a loss without
// training.
package train

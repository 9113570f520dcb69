// Package modelfile keeps a trained model in one file, which is loaded without knowing the Go
// types that it was built with.
//
//	history, err := train.Fit(ctx, backend, store, loss.FM{Field: velocity}, events)
//	…
//	err = modelfile.Save("model.safetensors", modelfile.File{
//		Model: flow, Store: store, Columns: columns, Training: modelfile.TrainingOf(history),
//	})
//
// and in another program
//
//	file, err := modelfile.Load("model.safetensors")
//	process, err := file.Bind(backend, context)
//	samples, err := process.Sample(ctx, 10_000)
//
// The checkpoints of a fit hold the model, too, with train.Describe(modelfile.File{Model: flow}):
// then Load takes the checkpoint's name.
//
// # What is in it
//
// A file is in the safetensors format, which libraries for Python, Rust and others read: the
// weights under the paths of their variables, moving averages below /nami/averages/NAME, and those
// with the least validation loss below /nami/best. The metadata has three entries: "nami.model",
// JSON that describes the model; "nami", what training keeps of a checkpoint; and "sha256", a
// checksum of all else. The description has a version. Files of all earlier versions stay
// readable.
//
// In the description a part, such as the field or the base, is {"type": NAME, "parameters": …},
// with the parameters by the names of the Go fields, and all defaults written out. What is nil is
// left out. Methods of solvers are tables of numbers. The page docs/model-file.md describes the
// format for readers in other languages.
//
// A file holds no code. Parts of your own are types that both programs register by name: see
// [Register]. A function, as in a field.Func, is in no file: make the part that has it a type.
//
// # What is checked
//
// A file may come from a stranger. Loading it runs nothing of it and reads nothing else. Sizes are
// believed only as far as the file's own length bears them out, and the description only as far as
// the weights do: a network with other layers than the weights have is an error before it costs
// anything. How many steps a solver makes costs nothing until it is asked: a stranger's file may
// ask for up to a million, and a context.Context ends them.
//
// A file that is loaded can be compared with what a program expects, by [File.Compare].
package modelfile

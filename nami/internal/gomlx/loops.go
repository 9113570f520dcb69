package gomlx

import "github.com/gomlx/compute"

// LoopsGradients tells whether a backend can take a gradient in the body of a While.
// The pure Go one says that it can, and fails when the program runs: its broadcasts in
// a body go missing.
func LoopsGradients(backend compute.Backend) bool { return backend.Name() == "xla" }

package backends

import "github.com/gomlx/compute"

// Few says whether a test does without what a backend takes long for and its other cases show
// too: on XLA, which compiles each program anew. With the tag slow, as on CI, it does all.
func Few(backend compute.Backend) bool { return !full && backend.Name() == "xla" }

// Runs says whether case i of a large family is run: all of them with the tag slow, and one in
// four otherwise. The families' inner loops should have lengths that four doesn't divide, so
// that each of their elements has its turn.
func Runs(i int) bool { return full || i%4 == 0 }

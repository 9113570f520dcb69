package backends

// Runs says whether case i of a large family is run: all of them with the tag slow, as CI does,
// and one in four otherwise. The families' inner loops should have lengths that four doesn't
// divide, so that each of their elements has its turn.
func Runs(i int) bool { return i%oneIn == 0 }

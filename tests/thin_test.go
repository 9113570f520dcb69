//go:build !slow

package tests

// oneIn is how many golden cases of a large family there are for each that XLA runs; with
// the tag slow it runs them all.
const oneIn = 8

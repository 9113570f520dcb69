//go:build !cgo || !(linux || darwin) || noxla

package main

// whyGo is why a program computes in pure Go that has nothing else.
const whyGo = "this program was built without cgo, so XLA isn't in it"

//go:build cgo && (linux || darwin) && !noxla

package main

// whyGo is why a program computes in pure Go that could use XLA.
const whyGo = "XLA's plugin isn't installed here; its path can be given as --backend xla:PATH"

//go:build slow

package tests

const oneIn = 1

//go:build slow

package backends

const oneIn = 1

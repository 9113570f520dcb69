//go:build slow

package backends

const full = true

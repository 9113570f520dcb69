//go:build !cgo || !(linux || darwin) || noxla

package gomlx

const xlaLinked = false

//go:build cgo && (linux || darwin) && !noxla

package gomlx

import "github.com/gomlx/go-xla/compute/xla"

const xlaLinked = true

func init() { xla.EnableAutoInstall(false) }

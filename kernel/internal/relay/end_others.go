//go:build !linux

package main

import "syscall"

// endWithParent is for Linux. Elsewhere Jupyter ends a kernel's whole group.
func endWithParent() *syscall.SysProcAttr { return nil }

package main

import "syscall"

// endWithParent lets a program end when we are killed, which would else wait for ever.
func endWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }

// Command build stands on the kernel's PATH as go, before the real one. Of what GoNB asks of
// go for a cell, it answers what takes time without need: `go get`, as a cell has the versions
// of go.mod and no network; and `go build`, where it knows from earlier what go would do.
// Besides it lets cells see the module that the notebook's folder is in. Everything else is
// for the real go, whose path is in NAMI_GO.
package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
)

func main() {
	real := os.Getenv("NAMI_GO")
	if real == "" {
		fmt.Fprintln(os.Stderr, "NAMI_GO, the path of the real go, isn't set: the kernel's specification sets it")
		os.Exit(1)
	}
	if code, done := cell(real, os.Args[1:]); done {
		os.Exit(code)
	}
	err := syscall.Exec(real, append([]string{real}, os.Args[1:]...), os.Environ())
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// cell answers what GoNB asks for a cell, in the folder of the cell's program. done is false
// if the real go shall.
func cell(real string, args []string) (code int, done bool) {
	folder := os.Getenv("GONB_TMP_DIR")
	here, err := os.Getwd()
	if err != nil || folder == "" || !same(here, folder) || len(args) == 0 {
		return 0, false
	}
	switch {
	case args[0] == "get" && (len(args) == 1 || len(args) == 2 && args[1] == "-t"):
		return 0, os.Getenv("GOPROXY") == "off"
	case len(args) == 4 && slices.Equal(args[:3], []string{"test", "-c", "-o"}):
		useModule(real, os.Getenv("GONB_DIR"))
		return 0, false
	case len(args) == 3 && slices.Equal(args[:2], []string{"build", "-o"}):
		useModule(real, os.Getenv("GONB_DIR"))
		return build(real, args[2])
	}
	return 0, false
}

// same says whether two paths are of one folder.
func same(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// build builds a cell's program as go did the last time, or lets go do it and notes how.
func build(real, out string) (code int, done bool) {
	note := clock()
	p, err := readCell(real)
	if err != nil { // go says what is wrong with it
		return 0, false
	}
	if l := p.known(); l != nil {
		note("look up")
		switch err := l.build(out, os.Stderr); {
		case err == nil:
			return 0, true
		case errors.Is(err, errRefused):
			return 1, true
		}
	}
	// Where go fails it is asked again, to say why without the commands between.
	return 0, p.learn(out) == nil
}

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/nami-flow/go-nami/internal/workspace"
)

// useModule lets cells see the module that the notebook's folder is in. What is wrong with it
// goes to standard error, which GoNB shows where a build fails.
func useModule(real, folder string) {
	if folder == "" {
		return
	}
	module := workspace.Around(folder)
	if module == "" {
		return
	}
	before, err := os.ReadFile("go.work")
	if err != nil {
		return
	}
	seen, err := workspace.Read("go.work")
	if err != nil {
		return
	}
	path, err := workspace.Path(module)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	if seen[path] != "" { // it, or another copy of it: one workspace can't hold both
		return
	}
	run := func(args ...string) error {
		if out, err := exec.Command(real, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("cells can't see the module of %s: %s", module, strings.TrimSpace(string(out)))
		}
		return nil
	}
	err = run("work", "use", module)
	if err == nil {
		err = run("list", "-m", "all") // one that conflicts with the others would spoil every cell
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		_ = os.WriteFile("go.work", before, 0o644) // as it was
	}
}

// Command goxla runs go-xla's own installer of its CPU plugin.
package main

import (
	"fmt"
	"os"

	"github.com/gomlx/go-xla/installer"
)

func main() {
	if err := installer.AutoInstall("", true, installer.Normal); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

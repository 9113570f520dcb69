//go:build cgo && (linux || darwin)

// Command probe loads XLA's plugin, whose path is its argument, and prints what it is.
package main

import (
	"fmt"
	"os"

	"github.com/gomlx/go-xla/pjrt"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(path string) error {
	plugin, err := pjrt.GetPlugin(path)
	if err != nil {
		return err
	}
	major, minor := plugin.Version()
	client, err := plugin.NewClient(nil)
	if err != nil {
		return err
	}
	fmt.Printf("PJRT %d.%d, %s, %d devices\n", major, minor, client.Platform(), len(client.AddressableDevices()))
	return client.Destroy()
}

// Command probe says as JSON what XLA's plugin, whose path is its argument, offers. It
// links what a cell of a notebook links.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

type report struct {
	PJRT     string   `json:"pjrt"`
	Platform string   `json:"platform"`
	Devices  []string `json:"devices"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: probe PLUGIN")
		os.Exit(2)
	}
	found, err := probe(os.Args[1])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(found)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

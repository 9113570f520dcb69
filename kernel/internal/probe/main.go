// Command probe links what a cell of a notebook links, and says as JSON what XLA's
// plugin offers, whose path is its argument. Without one it says nothing of it.
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
	var found report
	var err error
	if len(os.Args) > 1 {
		found, err = probe(os.Args[1])
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(found)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

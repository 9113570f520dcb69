package notebook

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// event is what the driver says.
type event struct {
	Event    string  `json:"event"` // warning, kernel, start, done, failed, written
	Text     string  `json:"text"`  // of a warning
	PID      int     `json:"pid"`   // of the kernel
	Cells    int     `json:"cells"` // how many have code
	Cell     int     `json:"cell"`  // among those, from 1
	Seconds  float64 `json:"seconds"`
	Pageless bool    `json:"pageless"` // the notebook was written, and no page of it
	failure
}

// events calls do for each event in the driver's output.
func events(r io.Reader, do func(event)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<30) // an event holds all that a failed cell wrote to stderr
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("the driver said %q: %w", lines.Text(), err)
		}
		do(e)
	}
	return lines.Err()
}

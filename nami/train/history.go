package train

import "time"

// History tells how a fit went.
type History struct {
	// Loss is the loss of each step, on its own batch.
	Loss []float64 `json:"loss"`

	// Duration is the time spent training, over all resumed runs.
	Duration time.Duration `json:"duration"`
}

// Steps is the number of steps made.
func (h *History) Steps() int { return len(h.Loss) }

// recent is the mean of the last losses, at most 100.
func (h *History) recent() float64 {
	last := h.Loss[max(0, len(h.Loss)-100):]
	sum := 0.0
	for _, l := range last {
		sum += l
	}
	return sum / float64(len(last))
}

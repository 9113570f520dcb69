package train

import "time"

// History tells how a fit went.
type History struct {
	// Loss is the loss of each step, on its own batch.
	Loss []float64 `json:"loss"`

	// Validation are the losses of the validation data, if there are any.
	Validation []Validated `json:"validation,omitempty"`

	// Stopped says why the run is done before all of its steps; empty if it isn't.
	Stopped string `json:"stopped,omitempty"`

	// Seed is where the random numbers started.
	Seed int64 `json:"seed"`

	// Duration is the time spent training, over all resumed runs.
	Duration time.Duration `json:"duration"`

	// Saved is when the checkpoint with these steps was written; zero without one.
	Saved time.Time `json:"saved,omitzero"`

	// DoneBefore is set if [Fit] found the run done, at the time Saved, and made no step.
	DoneBefore bool `json:"-"`

	// Notes say what else happened, such as that a damaged checkpoint was skipped.
	Notes []string `json:"-"`
}

// Validated is the loss of the validation data after so many steps.
type Validated struct {
	Steps int     `json:"steps"`
	Loss  float64 `json:"loss"`
}

// Steps is the number of steps made.
func (h *History) Steps() int { return len(h.Loss) }

// Best is the least loss of the validation data, and when it was; false without any.
func (h *History) Best() (best Validated, ok bool) {
	for _, v := range h.Validation {
		if !ok || v.Loss < best.Loss {
			best, ok = v, true
		}
	}
	return best, ok
}

// Recent is the mean of the losses of the last steps, at most 100; NaN before the first.
func (h *History) Recent() float64 {
	last := h.Loss[max(0, len(h.Loss)-100):]
	sum := 0.0
	for _, l := range last {
		sum += l
	}
	return sum / float64(len(last))
}

package modelfile

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/nami-flow/go-nami/nami/train"
)

// Training is the record of how a model's weights came about.
type Training struct {
	// Steps is the number of the optimiser's steps, and Loss the mean loss of the last hundred.
	Steps int     `json:"steps,omitempty"`
	Loss  float64 `json:"loss,omitempty"`

	// Weights says which weights of the training the file's are: an average, or train.Best; empty
	// for those of the last step. [Save] and [Load] fill it in.
	Weights string `json:"weights,omitempty"`

	// Validation is the least loss of the validation data, and when it was; nil without any.
	Validation *train.Validated `json:"validation,omitempty"`

	// Seed is where the random numbers of the training started.
	Seed int64 `json:"seed,omitempty"`

	// Duration is the time spent, and Finished when it ended.
	Duration time.Duration `json:"duration_ns,omitempty"`
	Finished time.Time     `json:"finished,omitzero"`

	// Stopped says why training ended before all of its steps; empty if it didn't.
	Stopped string `json:"stopped,omitempty"`

	// Nami, GoMLX and Go are the versions that the model was saved with.
	Nami  string `json:"nami,omitempty"`
	GoMLX string `json:"gomlx,omitempty"`
	Go    string `json:"go,omitempty"`
}

// TrainingOf is the record of a fit, with the versions of this program.
func TrainingOf(h *train.History) Training {
	t := Training{}
	if h != nil {
		t.Steps, t.Duration, t.Stopped, t.Seed, t.Finished = h.Steps(), h.Duration, h.Stopped, h.Seed, h.Saved
		if t.Steps > 0 {
			t.Loss = h.Recent()
		}
		if best, ok := h.Best(); ok {
			t.Validation = &best
		}
	}
	return t.withVersions()
}

// After says after which step the weights were as the file has them, "last, after step 100", and
// whether others were found better by the validation data; empty if no step is known. others are
// the names of the file's other weights.
func (t Training) After(others []string) string {
	if t.Steps == 0 {
		return ""
	}
	best := func(v *train.Validated) string { return fmt.Sprintf("best, after step %d", v.Steps) }
	switch {
	case t.Weights == train.Best && t.Validation != nil:
		return best(t.Validation)
	case t.Weights != "":
		return fmt.Sprintf("average %s, after step %d", t.Weights, t.Steps)
	case t.Validation != nil && t.Validation.Steps < t.Steps && slices.Contains(others, train.Best):
		return fmt.Sprintf("last, after step %d; better ones by validation: %s", t.Steps, best(t.Validation))
	}
	return fmt.Sprintf("last, after step %d", t.Steps)
}

// withVersions fills in the versions that are empty.
func (t Training) withVersions() Training {
	or := func(to *string, version string) {
		if *to == "" {
			*to = version
		}
	}
	or(&t.Nami, versionOf("github.com/nami-flow/go-nami"))
	or(&t.GoMLX, versionOf("github.com/gomlx/gomlx"))
	or(&t.Go, runtime.Version())
	return t
}

// versionOf is the version of a module that the program is built with; empty if it isn't
// known.
func versionOf(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if m.Path == path {
			return m.Version
		}
	}
	return ""
}

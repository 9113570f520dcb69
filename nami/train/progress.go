package train

import (
	"time"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
)

// Reporter is told how a fit goes on, to show it: package progress has reporters for
// terminals, notebooks and logs. A type of your own is one as soon as it has this method.
type Reporter interface {
	// Report is called when a fit starts, about five times a second, when there is something
	// else to say, and at the end. Training waits for it.
	Report(s Status)
}

// Status is how far a fit has come.
type Status struct {
	// Step is the number of steps made, Steps that of all.
	Step, Steps int

	// Loss is the mean of the last 100 losses; NaN before the first.
	Loss float64

	// Validation is the newest loss of the validation data; nil before the first.
	Validation *Validated

	// Rate is the number of steps in a second, without the first ones, which compile, and the
	// time for validating and saving; 0 before it is known.
	Rate float64

	// Elapsed is the time since this fit started.
	Elapsed time.Duration

	// Note is something else to say; empty if there is nothing.
	Note string

	// Ended is set in the last report of a fit.
	Ended bool
}

// status is how far f has come.
func (f *fit) status() Status {
	s := Status{Step: f.history.Steps(), Steps: f.config.steps, Loss: f.history.Recent(), Elapsed: time.Since(f.start)}
	if n := len(f.history.Validation); n > 0 {
		s.Validation = &f.history.Validation[n-1]
	}
	if f.working > 0 {
		s.Rate = float64(f.counted) / f.working.Seconds()
	}
	return s
}

// report tells the reporter, if there is one.
func (f *fit) report(s Status) error {
	if f.config.reporter == nil {
		return nil
	}
	return gomlx.Guard("train: the reporter of Progress", func() error {
		f.config.reporter.Report(s)
		return nil
	})
}

// note says something else, there and in the history.
func (f *fit) note(text string) error {
	f.history.Notes = append(f.history.Notes, text)
	s := f.status()
	s.Note = text
	return f.report(s)
}

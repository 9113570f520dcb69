// Package progress shows how training goes on: as a bar on a terminal or below a cell of a
// notebook, as lines elsewhere.
//
//	history, err := train.Fit(ctx, backend, store, loss, events, train.Progress(progress.Auto()))
package progress

import (
	"fmt"
	"html"
	"io"
	"os"
	"time"

	"github.com/nami-flow/go-nami/nami/train"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Auto is a reporter for where the program runs: below the cell in a notebook, a bar if
// standard error is a terminal, and lines on standard error if not.
func Auto() train.Reporter {
	switch {
	case gonbui.IsNotebook:
		return Notebook()
	case term.IsTerminal(int(os.Stderr.Fd())):
		return Bar(os.Stderr)
	default:
		return Lines(os.Stderr)
	}
}

// Lines is a reporter that writes about ten lines in all: for a log.
func Lines(w io.Writer) train.Reporter { return &lines{w: w} }

type lines struct {
	w     io.Writer
	next  int // the step of the next line; 0 before the first report
	every int
}

// Report implements [train.Reporter].
func (l *lines) Report(s train.Status) {
	if l.every == 0 {
		l.every = max(1, (s.Steps-s.Step)/10)
		l.next = s.Step + l.every
	}
	switch {
	case s.Note != "":
		fmt.Fprintln(l.w, s.Note)
	case s.Ended && s.Step > 0 || s.Step >= l.next && s.Step < s.Steps:
		fmt.Fprintln(l.w, line(s))
		l.next = s.Step - s.Step%l.every + l.every
	}
}

// line is a status on one line.
func line(s train.Status) string {
	if s.Step == 0 {
		return fmt.Sprintf("step 0 of %d: compiling", s.Steps)
	}
	text := fmt.Sprintf("step %d of %d, loss %.4g", s.Step, s.Steps, s.Loss)
	if v := s.Validation; v != nil {
		text += fmt.Sprintf(", validation %.4g after step %d", v.Loss, v.Steps)
	}
	if s.Rate > 0 {
		text += fmt.Sprintf(", %.0f steps/s", s.Rate)
	}
	return text + fmt.Sprintf(", %.1f s", s.Elapsed.Seconds())
}

// Bar is a reporter that draws a bar on a terminal.
func Bar(w io.Writer) train.Reporter { return &bar{w: w} }

type bar struct {
	w   io.Writer
	bar *progressbar.ProgressBar
}

// Report implements [train.Reporter].
func (b *bar) Report(s train.Status) {
	if s.Note != "" {
		fmt.Fprintln(b.w, s.Note)
		return
	}
	if b.bar == nil {
		b.bar = progressbar.NewOptions(s.Steps, progressbar.OptionSetWriter(b.w), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetElapsedTime(false), progressbar.OptionSetPredictTime(false),
			progressbar.OptionOnCompletion(func() { fmt.Fprintln(b.w) }))
	}
	b.bar.Describe(line(s))
	_ = b.bar.Set(s.Step) // what a terminal can't show is no reason to stop training
	if s.Ended {
		_ = b.bar.Close()
	}
}

// Notebook is a reporter that draws a bar below the cell of a notebook that runs in the
// kernel GoNB. Notes stay above it.
func Notebook() train.Reporter { return &notebook{id: "nami-fit-" + gonbui.UniqueId()} }

type notebook struct {
	id    string
	notes string
	last  time.Time
}

// Report implements [train.Reporter].
func (n *notebook) Report(s train.Status) {
	if s.Note != "" {
		n.notes += html.EscapeString(s.Note) + "<br>"
	}
	if now := time.Now(); s.Ended || s.Note != "" || now.Sub(n.last) > 500*time.Millisecond {
		n.last = now
		gonbui.UpdateHTML(n.id, n.notes+widget(s))
	}
	if s.Ended {
		gonbui.Sync() // else a program that ends at once can be gone before GoNB has read it
	}
}

// widget is a status as HTML: a bar, and the line beside it.
func widget(s train.Status) string {
	return fmt.Sprintf(`<progress value="%d" max="%d" style="width: 20em"></progress> %s`, s.Step, s.Steps, html.EscapeString(line(s)))
}

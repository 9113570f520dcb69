package train

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// report tells a person how training goes on: as a bar on a terminal or below a cell of
// a notebook, as lines elsewhere.
type report struct {
	w          io.Writer
	first, all int
	start      time.Time
	last       time.Time
	nextLine   int
	bar        *progressbar.ProgressBar
	cell       string // id of the notebook's display
}

func newReport(w io.Writer, first, all int) *report {
	r := &report{w: w, first: first, all: all, start: time.Now(), nextLine: first + max(1, (all-first)/10)}
	if w == nil {
		return r
	}
	file, isFile := w.(*os.File)
	switch {
	case gonbui.IsNotebook:
		r.cell = "nami-fit-" + gonbui.UniqueId()
	case isFile && term.IsTerminal(int(file.Fd())):
		r.bar = progressbar.NewOptions(all, progressbar.OptionSetWriter(w), progressbar.OptionShowIts(),
			progressbar.OptionSetItsString("steps"), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionOnCompletion(func() { fmt.Fprintln(w) }))
	}
	return r
}

func (r *report) update(h *History) {
	done := h.Steps()
	switch {
	case r.w == nil:
	case r.cell != "":
		if now := time.Now(); now.Sub(r.last) > 500*time.Millisecond {
			r.last = now
			gonbui.UpdateHTML(r.cell, r.html(h))
		}
	case r.bar != nil:
		r.bar.Describe(fmt.Sprintf("loss %.4g", h.recent()))
		_ = r.bar.Set(done) // what a terminal can't show is no reason to stop training
	case done >= r.nextLine && done < r.all:
		fmt.Fprintln(r.w, r.line(h))
		for r.nextLine <= done {
			r.nextLine += max(1, (r.all-r.first)/10)
		}
	}
}

// close leaves the last state behind.
func (r *report) close(h *History) {
	switch {
	case r.w == nil || h.Steps() == 0:
	case r.cell != "":
		gonbui.UpdateHTML(r.cell, r.html(h))
		gonbui.Sync() // else a program that ends at once can be gone before GoNB has read it
	case r.bar != nil:
		_ = r.bar.Close()
	default:
		fmt.Fprintln(r.w, r.line(h))
	}
}

func (r *report) line(h *History) string {
	seconds := time.Since(r.start).Seconds()
	return fmt.Sprintf("step %d of %d, loss %.4g, %.0f steps/s, %.1f s",
		h.Steps(), r.all, h.recent(), float64(h.Steps()-r.first)/max(seconds, 1e-9), seconds)
}

func (r *report) html(h *History) string {
	return fmt.Sprintf(`<progress value="%d" max="%d" style="width: 20em"></progress> %s`, h.Steps(), r.all, r.line(h))
}

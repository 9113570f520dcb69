package progress_test

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/nami-flow/go-nami/nami/progress"
	"github.com/nami-flow/go-nami/nami/train"
)

// fit reports as a fit of 200 steps does.
func fit(r train.Reporter) {
	r.Report(train.Status{Steps: 200, Loss: math.NaN()})
	r.Report(train.Status{Steps: 200, Loss: math.NaN(), Note: "a checkpoint <was> passed over"})
	for step := 1; step <= 200; step++ {
		r.Report(train.Status{
			Step: step, Steps: 200, Loss: 1 / float64(step), Rate: 340, Elapsed: time.Duration(step) * time.Millisecond,
			Validation: &train.Validated{Steps: step, Loss: 2}, Ended: step == 200,
		})
	}
}

// A log gets a few lines, the last of them of the last step, and notes in between.
func TestLines(t *testing.T) {
	var out bytes.Buffer
	fit(progress.Lines(&out))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 11 || lines[0] != "a checkpoint <was> passed over" {
		t.Fatalf("the lines are %q, expected a note and ten more", lines)
	}
	if want := "step 200 of 200, loss 0.005, validation 2 after step 200, 340 steps/s, 0.2 s"; lines[10] != want {
		t.Errorf("the last line is %q, expected %q", lines[10], want)
	}
}

// A resumed fit has its lines over the steps that are left; one that was done before only
// says so.
func TestLinesOfResumed(t *testing.T) {
	var out bytes.Buffer
	r := progress.Lines(&out)
	r.Report(train.Status{Step: 100, Steps: 200, Loss: 1})
	for step := 101; step <= 200; step++ {
		r.Report(train.Status{Step: step, Steps: 200, Loss: 1, Ended: step == 200})
	}
	if n := strings.Count(out.String(), "\n"); n != 10 {
		t.Errorf("there are %d lines: %s", n, out.String())
	}
}

// A bar ends with the last step, whatever the terminal.
func TestBar(t *testing.T) {
	var out bytes.Buffer
	fit(progress.Bar(&out))
	if text := out.String(); !strings.Contains(text, "a checkpoint <was> passed over\n") || !strings.Contains(text, "step 200 of 200, loss 0.005") || !strings.Contains(text, "100%") {
		t.Errorf("the bar is %q", text)
	}
}

package train_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// A function that is called after bursts sees the history grow to its end, from the resumed
// steps on; that of a run which is done isn't called.
func TestAfterBurst(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		folder := t.TempDir()
		fit := func(n int) (after []int) {
			_, err := train.Fit(t.Context(), backend, model.NewStore(), seen{}, line(), train.BatchSize(8), train.Steps(n),
				train.Schedule(train.Constant{}), train.Checkpoint(folder), train.AfterBurst(func(h *train.History) error {
					after = append(after, h.Steps())
					return nil
				}))
			if err != nil {
				t.Fatal(err)
			}
			return after
		}
		if first := fit(10); len(first) == 0 || first[len(first)-1] != 10 || !slices.IsSorted(first) {
			t.Errorf("10 steps: seen after %v, want a rising list that ends with 10", first)
		}
		if more := fit(20); len(more) == 0 || more[0] <= 10 || more[len(more)-1] != 20 {
			t.Errorf("10 more: seen after %v, want 11 or later up to 20", more)
		}
		if again := fit(20); len(again) != 0 {
			t.Errorf("done before: seen after %v, want no call", again)
		}
	})
}

// ErrStop ends a fit without an error, saved and to be gone on with; another error is
// returned, and a panic is one.
func TestAfterBurstStops(t *testing.T) {
	backend, name := gomlxtest.Go(t), filepath.Join(t.TempDir(), "run")
	run := func(f func(h *train.History) error) (*train.History, error) {
		return fit(backend, model.NewStore(), train.Checkpoint(name), train.AfterBurst(f))
	}
	history, err := run(func(*train.History) error { return fmt.Errorf("good enough: %w", train.ErrStop) })
	if err != nil || history.Steps() == 0 || history.Steps() == 30 {
		t.Fatalf("stopped after %d steps with %v", history.Steps(), err)
	}
	broken := errors.New("the plotter is out of ink")
	if _, err = run(func(*train.History) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v, expected the hook's error", err)
	}
	gomlxtest.Says(t, "an error", err, "the checkpoint in "+name+" holds the first")
	_, err = run(func(*train.History) error { panic("ouch") })
	gomlxtest.Says(t, "a panic", err, "AfterBurst panicked: ouch")
	history, err = run(func(*train.History) error { return nil })
	if err != nil || history.Steps() != 30 {
		t.Errorf("gone on with, it ended after %d steps with %v", history.Steps(), err)
	}
}

// What is built after a step is part of it, in bursts as in single steps: it sees the batch,
// its loss and the weights that were moved, keeps variables, and may change weights.
func TestAfterStep(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		store, w := fitted(t, backend, plane{}, gradient, 70, sgd(0.1), train.AfterStep(func(scope *model.Scope, b loss.Batch, value *Node) {
			g := value.Graph()
			weight := scope.GetVariable("w")
			weight.SetNodeValue(Max(weight.NodeValue(g), Const(g, []float32{-100, -150})))
			sum := scope.VariableWithValue("sums", []float32{0, 0, 0}).SetTrainable(false)
			one := Reshape(ConstAs(value, 1), 1)
			sum.SetNodeValue(Add(sum.NodeValue(g), Concatenate([]*Node{one, Reshape(ReduceAllMean(b.X), 1), Reshape(value, 1)}, 0)))
		}))
		gomlxtest.Near(t, "the projected weights", w, []float64{-100, -150}, 0)
		sums, total, x, y := []float64{70, 0, 0}, 0.0, 1.0, -2.0
		for step := range 70 {
			a, b := 3+float64(step), 4+float64(step)
			total += (a + b) / 2
			sums[2] += x*a + y*b
			x, y = max(x-0.1*a, -100), max(y-0.1*b, -150)
		}
		sums[1] = total
		gomlxtest.Near(t, "the sums", floats(t, store, "/sums"), sums, 1e-4)
	})
}

// A function of the data that fails at a step, panics there, or changes its shapes, ends the
// fit with the step's number; the steps before are saved.
func TestDataThatFails(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		const at = 23
		for want, f := range map[string]func() (data.Events, error){
			"the data of step 23: no beam":   func() (data.Events, error) { return data.Events{}, errors.New("no beam") },
			"the data panicked: quench":      func() (data.Events, error) { panic("quench") },
			"the data of step 23 is data (F": func() (data.Events, error) { return line().Rows(1, 2, 3) },
		} {
			if backend.Name() == "xla" && want != "the data panicked: quench" {
				continue // each compiles for a while, and all fail on the host
			}
			name := filepath.Join(t.TempDir(), "run")
			source := data.Func(func(step int) (data.Events, error) {
				if step == at {
					return f()
				}
				return line().Rows(step, step+1)
			})
			history, err := train.Fit(t.Context(), backend, model.NewStore(), tiny, source, train.Steps(30), train.Checkpoint(name))
			gomlxtest.Says(t, want, err, want)
			gomlxtest.Says(t, want, err, "train: after step 23: ")
			gomlxtest.Says(t, want, err, "holds the first 23 steps")
			if history.Steps() != at {
				t.Errorf("%s: %d steps were made", want, history.Steps())
			}
			kept, err := train.Load(model.NewStore(), name)
			if err != nil || kept.Steps() != at {
				t.Errorf("%s: %v is saved: %v", want, kept, err)
			}
		}
	})
}

// When Fit returns early, nothing that it started is still at work.
func TestNothingRunsOn(t *testing.T) {
	var working atomic.Int32
	source := data.Func(func(step int) (data.Events, error) {
		working.Add(1)
		defer working.Add(-1)
		time.Sleep(5 * time.Millisecond)
		return line().Rows(step%40, 1)
	})
	for range 3 {
		_, err := train.Fit(t.Context(), gomlxtest.Go(t), model.NewStore(), tiny, source, train.Steps(1000), train.AfterBurst(func(h *train.History) error {
			if h.Steps() > 20 {
				return train.ErrStop
			}
			return nil
		}))
		if n := working.Load(); err != nil || n != 0 {
			t.Fatalf("%d calls of the data's function go on after Fit (%v)", n, err)
		}
	}
}

// reports keeps what a fit reports.
type reports struct{ all []train.Status }

func (r *reports) Report(s train.Status) { r.all = append(r.all, s) }

// A reporter hears of the beginning, of steps, and once of the end; of a run that was done
// before, when that was. The rate of steps leaves the first ones, which compile, out.
func TestReports(t *testing.T) {
	backend, name := gomlxtest.Go(t), filepath.Join(t.TempDir(), "run")
	var first, second reports
	if _, err := fit(backend, model.NewStore(), train.Checkpoint(name), train.Progress(&first), train.Validate(train.Validation{Events: line(), Every: 10})); err != nil {
		t.Fatal(err)
	}
	begin, end := first.all[0], first.all[len(first.all)-1]
	if begin.Step != 0 || begin.Rate != 0 || end.Step != 30 || end.Steps != 30 || !end.Ended || end.Validation == nil || end.Validation.Steps != 30 {
		t.Errorf("the reports begin with %+v and end with %+v", begin, end)
	}
	for i, s := range first.all {
		if s.Ended != (i == len(first.all)-1) {
			t.Errorf("report %d of %d: ended is %v", i, len(first.all), s.Ended)
		}
	}
	if _, err := fit(backend, model.NewStore(), train.Checkpoint(name), train.Progress(&second), train.Validate(train.Validation{Events: line(), Every: 10})); err != nil {
		t.Fatal(err)
	}
	if len(second.all) != 2 || !second.all[1].Ended || !says(errors.New(second.all[0].Note), "done before: 30 steps, saved 2") {
		t.Errorf("a run that was done before reports %+v", second.all)
	}
	_, err := fit(backend, model.NewStore(), train.Progress(rude{}))
	gomlxtest.Says(t, "a reporter that panics", err, "the reporter of Progress panicked: no")
}

type rude struct{}

func (rude) Report(train.Status) { panic("no") }

// The rate is that of steps: a first step that takes long, as compiling does, changes
// nothing of it.
func TestRateWithoutCompiling(t *testing.T) {
	var r reports
	slow := data.Func(func(step int) (data.Events, error) { return line().Rows(step%40, 1) })
	_, err := train.Fit(t.Context(), gomlxtest.XLA(t), model.NewStore(), tiny, slow, train.Steps(2000), train.Progress(&r))
	if err != nil {
		t.Fatal(err)
	}
	end := r.all[len(r.all)-1]
	whole := float64(end.Steps) / end.Elapsed.Seconds()
	t.Logf("%.0f steps/s, %.0f with compiling", end.Rate, whole)
	if end.Rate <= whole {
		t.Errorf("the rate is %.0f steps/s, and %.0f with compiling", end.Rate, whole)
	}
}

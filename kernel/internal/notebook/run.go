package notebook

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nami-flow/go-nami/internal/reads"
	"github.com/nami-flow/go-nami/kernel/internal/environment"
	"github.com/nami-flow/go-nami/kernel/internal/process"

	"golang.org/x/sync/errgroup"
)

// driver are the Python programs that execute a notebook: driver.py, and what it imports.
//
//go:embed *.py
var driver embed.FS

// Options of [Run].
type Options struct {
	Timeout    time.Duration     // of each cell
	Out        string            // folder for the executed notebooks and the pages
	Parameters map[string]string // values of the variables that cells with the tag "parameters" declare
	Parallel   int               // how many notebooks run at once
	Rewrite    bool              // also replaces a notebook that passed by the executed one
	Report     string            // file for a JUnit report; empty: none
	Kept       Kept              // results of earlier runs
	Output     io.Writer
	Terminal   bool // Output is a terminal, where a line can be overwritten
}

// ErrFailed says that notebooks failed; what went wrong has been printed.
var ErrFailed = errors.New("notebooks failed")

// Check refuses what can't be executed, before an environment is made for it.
func Check(sources []Source, o Options) error {
	for _, source := range sources {
		if _, err := prepare(source, o); err != nil {
			return fmt.Errorf("%s: %w", source.Path, err)
		}
	}
	return nil
}

// prepare reads a notebook and returns the cells that set its parameters, if any.
func prepare(source Source, o Options) ([]injection, error) {
	n, err := read(source.Path)
	if err != nil || len(o.Parameters) == 0 {
		return nil, err
	}
	return inject(n, o.Parameters)
}

// Run executes notebooks, prints a line for each cell and, at the end, how many passed
// and failed. What hasn't changed since it passed isn't executed again. It returns
// [ErrFailed] if not all passed. When ctx ends, the notebooks that run are stopped and
// written as far as they got.
func Run(ctx context.Context, env *environment.Environment, sources []Source, o Options) error {
	start := time.Now()
	folder, err := filepath.Abs(o.Out)
	if err != nil {
		return err
	}
	o.Kept.forget()
	out := &screen{w: o.Output, live: o.Terminal && (o.Parallel == 1 || len(sources) == 1)}
	results := make([]result, len(sources))
	var group errgroup.Group
	group.SetLimit(o.Parallel)
	for i, source := range sources {
		results[i].source = source
		group.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			executed := filepath.Join(folder, source.Name)
			page := strings.TrimSuffix(executed, ".ipynb") + ".html"
			r := &runner{env: env, source: source, options: o, out: out, executed: executed, page: page}
			if len(sources) > 1 {
				r.prefix = source.Name + "  "
			}
			results[i] = r.result(ctx)
			return nil
		})
	}
	_ = group.Wait() // none returns an error
	var passed, unchanged, failed int
	for _, r := range results {
		switch {
		case !r.ran:
		case r.err != nil:
			failed++
		default:
			passed++
			if r.unchanged {
				unchanged++
			}
		}
	}
	summary := fmt.Sprintf("%d passed, %d failed", passed, failed)
	if unchanged > 0 {
		summary += fmt.Sprintf(", %d unchanged", unchanged)
	}
	out.printf("%s", summary)
	if o.Report != "" {
		if err := writeReport(ctx, o.Report, results, start); err != nil {
			return fmt.Errorf("the report can't be written: %w", err)
		}
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case failed > 0:
		return ErrFailed
	}
	return nil
}

// runner executes one notebook.
type runner struct {
	env            *environment.Environment
	source         Source
	options        Options
	out            *screen
	executed, page string // where the executed notebook goes, and a page of it
	prefix         string

	cells     int
	kernel    int // process group of the kernel
	unwatch   func()
	pageless  bool // the page couldn't be made
	warnings  []string
	inputs    inputs
	complaint error
}

// result executes the notebook, or restores what it gave when it last passed.
func (r *runner) result(ctx context.Context) result {
	start, kept := time.Now(), r.options.Kept
	done := result{source: r.source, ran: true}
	fail := func(err error) result {
		r.out.printf("FAILED %s: %v", r.source.Name, err)
		done.took, done.err = time.Since(start), err
		return done
	}
	injected, err := prepare(r.source, r.options)
	if err != nil {
		return fail(err)
	}
	folder, err := kept.folder(r.source, injected, r.env.Root)
	if err != nil {
		return fail(err)
	}
	took, unchanged, err := kept.restore(folder, r)
	switch {
	case err != nil:
		return fail(err)
	case unchanged:
		r.out.printf("%sunchanged since it passed in %.1f s", r.prefix, took.Seconds())
		r.wrote()
		done.took, done.unchanged = took, true
		return done
	}
	if err := r.run(ctx, injected); err != nil {
		return fail(err)
	}
	if r.inputs == nil {
		r.out.printf("%swarning: so many files were read that not all were noted: the next run executes it again", r.prefix)
	}
	done.took = time.Since(start)
	if r.pageless || r.inputs == nil {
		return done
	}
	if err := kept.keep(folder, r, done.took); err != nil {
		r.out.printf("%swarning: the result can't be kept, so that the next run executes it again: %v", r.prefix, err)
	}
	return done
}

func (r *runner) warn(text string) {
	r.warnings = append(r.warnings, text)
	r.out.printf("%swarning: %s", r.prefix, text)
}

func (r *runner) wrote() {
	files := shorten(r.executed)
	if !r.pageless {
		files += " and " + shorten(r.page)
	}
	r.out.printf("%swrote %s", r.prefix, files)
}

// run executes the notebook in a process of its own. All that it leaves behind (trained
// models, kernel files, logs) is in a folder that is removed.
func (r *runner) run(ctx context.Context, injected []injection) (err error) {
	scratch, err := os.MkdirTemp("", "nami-run-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	for _, name := range []string{"state", "tmp", "runtime"} {
		if err := os.Mkdir(filepath.Join(scratch, name), 0o700); err != nil {
			return err
		}
	}
	if err := os.CopyFS(scratch, driver); err != nil {
		return err
	}
	folder := filepath.Dir(r.source.Path)
	output, err := filepath.Abs(r.options.Out)
	if err != nil {
		return err
	}
	seen, warning, err := newWatch(folder, output)
	if err != nil {
		warning = fmt.Sprintf("files that are read count only if their names stand in the code: %v", err)
	}
	if warning != "" {
		r.warn(warning)
	}
	defer func() { err = errors.Join(err, r.dependsOn(seen, filepath.Join(scratch, "reads"))) }()
	job, err := json.Marshal(map[string]any{
		"notebook": r.source.Path, "folder": folder,
		"kernel": environment.KernelName, "display": environment.KernelDisplay,
		"timeout": r.options.Timeout.Seconds(), "inject": injected,
		"executed": r.executed, "page": r.page, "rewrite": r.options.Rewrite,
	})
	if err != nil {
		return err
	}

	cmd := process.Command(ctx, syscall.SIGINT, r.env.Python, "-W", "ignore", filepath.Join(scratch, "driver.py"))
	cmd.WaitDelay = 30 * time.Second // to stop the kernel, and to write what there is
	cmd.Dir = scratch
	cmd.Env = append(r.env.JupyterEnv(r.env.Scripted),
		"NAMI_STATE="+filepath.Join(scratch, "state"),
		reads.Variable+"="+filepath.Join(scratch, "reads"),
		"TMPDIR="+filepath.Join(scratch, "tmp"),
		"JUPYTER_RUNTIME_DIR="+filepath.Join(scratch, "runtime"),
		"PYTHONDONTWRITEBYTECODE=1")
	cmd.Stdin = bytes.NewReader(job)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	written := false
	said := events(stdout, func(e event) {
		if e.Event == "written" {
			written, r.pageless = true, e.Pageless
		}
		r.show(ctx, e)
	})
	_, _ = io.Copy(io.Discard, stdout) // after words that made no sense: or it would wait to be heard
	ended := cmd.Wait()
	process.Sweep(cmd)
	if r.kernel > 0 { // a session of its own, which the sweep doesn't reach
		_ = syscall.Kill(-r.kernel, syscall.SIGKILL) // usually it is gone
	}
	r.stopWatch()
	if written {
		r.wrote()
	}
	var broken error
	if said != nil || !written {
		broken = errors.Join(errors.New("the notebook's driver broke down"), said, ended, errors.New(process.Tail(errs.String(), 20)))
	}
	switch {
	case r.complaint != nil:
		return errors.Join(r.complaint, broken)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case broken != nil:
		return broken
	}
	return ended
}

// dependsOn notes the files that the notebook depends on: those that were seen to be read below
// its folder, those that its programs told of, and those that its code names. Other notebooks
// don't count unless they are named: those that run beside it are read, too.
func (r *runner) dependsOn(seen *watch, list string) error {
	read, whole := map[string]bool{}, true
	if seen != nil {
		read, whole = seen.end()
	}
	if !whole {
		return nil // the inputs stay unknown
	}
	folder := filepath.Dir(r.source.Path)
	paths, err := told(list)
	if err != nil {
		return err
	}
	names, err := named(r.source.Path)
	if err != nil {
		return err
	}
	r.inputs = inputs{}
	for _, name := range append(paths, names...) {
		r.inputs.add(folder, name)
	}
	for path, changed := range read {
		if filepath.Ext(path) == ".ipynb" {
			continue
		}
		r.inputs.add(folder, path)
		if name, err := filepath.Rel(folder, path); err == nil && changed {
			r.inputs[name] = touched
		}
	}
	return nil
}

// show prints what the driver tells.
func (r *runner) show(ctx context.Context, e event) {
	label := fmt.Sprintf("%scell %*d/%d", r.prefix, len(fmt.Sprint(r.cells)), e.Cell, r.cells)
	switch e.Event {
	case "warning":
		r.warn(e.Text)
	case "kernel":
		r.cells, r.kernel = e.Cells, e.PID
	case "start":
		r.unwatch = r.out.running(label)
	case "done":
		r.stopWatch()
		r.out.printf("%s  ok  %.1f s", label, e.Seconds)
	case "failed":
		r.stopWatch()
		state := "failed"
		if ctx.Err() != nil { // whatever it looked like to the driver
			e.Kind, state = "interrupted", "interrupted"
		}
		if e.Cell > 0 { // else the kernel didn't start
			r.out.printf("%s  %s  %.1f s", label, state, e.Seconds)
		}
		r.complaint = errors.New(e.explain(e.Cell, r.options.Timeout))
	}
}

func (r *runner) stopWatch() {
	if r.unwatch != nil {
		r.unwatch()
		r.unwatch = nil
	}
}

// shorten is a path as seen from the working folder, where that is shorter.
func shorten(path string) string {
	if here, err := os.Getwd(); err == nil {
		if relative, err := filepath.Rel(here, path); err == nil && len(relative) < len(path) {
			return relative
		}
	}
	return path
}

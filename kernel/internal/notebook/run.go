// Package notebook executes notebooks on the kernel and tells how they go on.
package notebook

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nami-flow/go-nami/kernel/internal/environment"

	"golang.org/x/sync/errgroup"
)

//go:embed driver.py
var driver string

// Options of [Run].
type Options struct {
	Timeout    time.Duration     // of each cell
	Out        string            // folder for the executed notebooks and the pages
	Parameters map[string]string // for the cell tagged "parameters"
	Parallel   int               // how many notebooks run at once
	Rewrite    bool              // also replaces the source by the executed notebook
	Output     io.Writer
}

// Find lists the notebooks that paths name; folders are searched through.
func Find(paths []string) ([]string, error) {
	var found []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("there is no notebook %s: give a file that ends in .ipynb, or a folder with some", path)
		}
		if !info.IsDir() {
			if filepath.Ext(path) != ".ipynb" {
				return nil, fmt.Errorf("%s isn't a notebook: its name doesn't end in .ipynb", path)
			}
			found = append(found, path)
			continue
		}
		before := len(found)
		err = filepath.WalkDir(path, func(at string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() && entry.Name() == ".ipynb_checkpoints" {
				return filepath.SkipDir
			}
			if err == nil && filepath.Ext(at) == ".ipynb" {
				found = append(found, at)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(found) == before {
			return nil, fmt.Errorf("the folder %s holds no notebooks (*.ipynb)", path)
		}
	}
	return found, nil
}

// ErrFailed says that notebooks failed; what went wrong has been printed.
var ErrFailed = errors.New("notebooks failed")

// Run executes notebooks, prints a line for each cell and how many passed, and returns
// [ErrFailed] if not all did.
func Run(ctx context.Context, env *environment.Environment, notebooks []string, o Options) error {
	out := &lines{w: o.Output}
	var mu sync.Mutex
	failed := 0
	group := errgroup.Group{}
	group.SetLimit(max(1, o.Parallel))
	for _, path := range notebooks {
		group.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			prefix := ""
			if len(notebooks) > 1 {
				prefix = path + ": "
			}
			if err := one(ctx, env, path, prefix, out, o); err != nil {
				out.printf("%s: %v", path, err)
				mu.Lock()
				failed++
				mu.Unlock()
			}
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	if err := context.Cause(ctx); err != nil {
		return err
	}
	out.printf("%d passed, %d failed", len(notebooks)-failed, failed)
	if failed > 0 {
		return ErrFailed
	}
	return nil
}

// event is a line of the driver's.
type event struct {
	Event   string
	Cell    int
	Total   int
	Seconds float64
	Line    int
	Code    string
	Message string
}

// one executes one notebook.
func one(ctx context.Context, env *environment.Environment, path, prefix string, out *lines, o Options) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	state, err := os.MkdirTemp("", "nami-state-*") // a scripted run trains afresh
	if err != nil {
		return err
	}
	defer os.RemoveAll(state)
	executed, err := target(env.Root, path, o.Out)
	if err != nil {
		return err
	}
	page := strings.TrimSuffix(executed, ".ipynb") + ".html"
	parameters := o.Parameters
	if parameters == nil {
		parameters = map[string]string{}
	}
	job, err := json.Marshal(map[string]any{
		"notebook": path, "executed": executed, "html": page, "timeout": o.Timeout.Seconds(), "parameters": parameters, "rewrite": o.Rewrite,
	})
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, env.Python, "-c", driver, string(job))
	cmd.Env = append(os.Environ(), "JUPYTER_PATH="+env.RunSpec, "NAMI_STATE="+state, "PYTHONWARNINGS=ignore", "JUPYTER_PLATFORM_DIRS=1")
	environment.Group(cmd, syscall.SIGINT)
	var errs strings.Builder
	cmd.Stderr = &errs
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	failure := follow(stdout, prefix, out, executed, page)
	err = cmd.Wait()
	switch {
	case failure != nil:
		return failure
	case err != nil:
		return fmt.Errorf("%w\n%s", err, strings.TrimSpace(errs.String()))
	}
	return nil
}

// follow prints the driver's events, and returns the failure that it tells of.
func follow(r io.Reader, prefix string, out *lines, executed, page string) (failure error) {
	total := 0
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		var e event
		if err := json.Unmarshal(scanner.Bytes(), &e); err != nil {
			out.printf("%s%s", prefix, scanner.Text()) // a word of some library's
			continue
		}
		switch e.Event {
		case "cells":
			total = e.Total
		case "start":
			out.printf("%scell %d/%d running", prefix, e.Cell, total)
		case "end":
			out.printf("%scell %d/%d ok, %.1f s", prefix, e.Cell, total, e.Seconds)
		case "refused":
			failure = errors.New(e.Message)
		case "failed":
			out.printf("%scell %d/%d failed", prefix, e.Cell, total)
			failure = fmt.Errorf("cell %d, line %d: %s\n%s", e.Cell, e.Line, e.Code, e.Message)
		case "written":
			out.printf("%swrote %s and %s", prefix, executed, page)
		}
	}
	return errors.Join(failure, scanner.Err())
}

// target is where an executed notebook goes: below out as it is below the checkout.
func target(root, path, out string) (string, error) {
	out, err := filepath.Abs(out)
	if err != nil {
		return "", err
	}
	relative, err := filepath.Rel(root, path)
	if err != nil || strings.HasPrefix(relative, "..") {
		relative = filepath.Base(path)
	}
	return filepath.Join(out, relative), nil
}

// lines writes whole lines from several goroutines.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.w, format+"\n", args...)
}

// Package environment makes what notebooks need: the programs of the kernel, Jupyter,
// XLA's plugin and the kernel's specification. Each part is made whole or not at all:
// a stamp, written last, says that it is complete, and what has none is made anew.
package environment

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// Environment is where the parts are, once [Make] has made them.
type Environment struct {
	Root    string // of the checkout
	Cache   string
	Tools   string // folder with gonb, goimports and gopls
	Python  string // with JupyterLab, nbclient and nbconvert
	Plugin  string // XLA's PJRT plugin, empty without
	Backend string // "xla" or "go"
	Specs   string // Jupyter data folder with the kernel for JupyterLab
	RunSpec string // the same, for scripted runs: errors come as plain text
}

// Options of [Make].
type Options struct {
	Backend string    // "go" or "xla" forces one; empty takes XLA if it can be had
	Log     io.Writer // a line for each part that has to be made
}

// Make makes what is missing and returns where everything is. It is safe to run it
// from several processes at once: they wait for each other.
func Make(ctx context.Context, o Options) (*Environment, error) {
	if o.Backend != "" && o.Backend != "go" && o.Backend != "xla" {
		return nil, fmt.Errorf("--backend is %q: it must be go or xla", o.Backend)
	}
	root, err := Root()
	if err != nil {
		return nil, err
	}
	cache, err := Cache()
	if err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(cache, "lock"))
	if _, err := lock.TryLockContext(ctx, 200*time.Millisecond); err != nil {
		return nil, fmt.Errorf("waiting for another installation: %w", err)
	}
	defer func() { _ = lock.Unlock() }() // the process's end unlocks it as well
	m := &maker{Environment: Environment{Root: root, Cache: cache}, options: o}
	for _, part := range []func(context.Context) error{m.tools, m.jupyter, m.plugin, m.modules, m.specs} {
		if err := part(ctx); err != nil {
			return nil, err
		}
	}
	return &m.Environment, nil
}

// maker is one call of Make.
type maker struct {
	Environment
	options Options
}

// Root is the checkout that holds the working folder.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		mod, err := os.ReadFile(filepath.Join(at, "go.mod"))
		if err == nil && strings.HasPrefix(string(mod), "module github.com/nami-flow/go-nami\n") {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s isn't in a checkout of nami: run this from one", dir)
		}
	}
}

// Cache is the folder that keeps the parts: $NAMI_CACHE, or nami in the user's cache.
func Cache() (string, error) {
	cache := os.Getenv("NAMI_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("%w: set NAMI_CACHE to a folder for the kernel's programs", err)
		}
		cache = filepath.Join(user, "nami")
	}
	cache, err := filepath.Abs(cache)
	if err != nil {
		return "", err
	}
	probe, err := func() (*os.File, error) {
		if err := os.MkdirAll(cache, 0o755); err != nil {
			return nil, err
		}
		return os.CreateTemp(cache, ".writable-*")
	}()
	if err != nil {
		return "", fmt.Errorf("the cache folder can't be written: %w: set NAMI_CACHE to one that can", err)
	}
	return cache, errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// say writes a line about a part.
func (m *maker) say(format string, args ...any) {
	if m.options.Log != nil {
		fmt.Fprintf(m.options.Log, format+"\n", args...)
	}
}

const stamp = ".complete"

// folder makes a folder of the cache by the function, once for each key. What was left
// of an attempt that didn't end is removed first.
func (m *maker) folder(name, key, what string, outputs []string, fill func(dir string) error) (string, error) {
	dir := filepath.Join(m.Cache, name+"-"+digest(key)[:12])
	complete := exists(filepath.Join(dir, stamp))
	for _, output := range outputs {
		complete = complete && exists(filepath.Join(dir, output))
	}
	if complete {
		return dir, nil
	}
	start := time.Now()
	m.say("%s …", what)
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := fill(dir); err != nil {
		return "", errors.Join(fmt.Errorf("%s: %w", what, err), os.RemoveAll(dir))
	}
	if err := os.WriteFile(filepath.Join(dir, stamp), nil, 0o644); err != nil {
		return "", err
	}
	m.say("%s: done in %.0f s", what, time.Since(start).Seconds())
	return dir, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// command runs a program until it ends or ctx does, and then its children with it. Its
// output comes back in the error.
func command(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	Group(cmd, syscall.SIGTERM)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err == nil {
		return string(out), nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return "", cause
	}
	text := strings.TrimSpace(string(out) + errs.String())
	if len(text) > 2000 {
		text = "…" + text[len(text)-2000:]
	}
	return "", fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, text)
}

// Group makes a command's end reach the processes that it started.
func Group(cmd *exec.Cmd, signal syscall.Signal) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, signal) }
	cmd.WaitDelay = 20 * time.Second
}

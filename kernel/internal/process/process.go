// Package process runs programs so that neither they nor their children outlive us.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// grace is how long a program has to end after it was told to.
const grace = 10 * time.Second

// Command is a program in a process group of its own, which is told to end, as a
// whole, by a signal when ctx ends. Ctrl-C in the terminal reaches only us.
func Command(ctx context.Context, end syscall.Signal, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, end) }
	cmd.WaitDelay = grace
	return cmd
}

// Sweep kills what is left of the group of a program that has ended.
func Sweep(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // usually the group is gone
	}
}

// Run runs a program in a folder, with our environment and the settings, each
// name=value, on top. It returns the program's stdout; the error says what was run and
// the last lines of what it wrote.
func Run(ctx context.Context, folder string, settings []string, name string, args ...string) (string, error) {
	cmd := Command(ctx, syscall.SIGTERM, name, args...)
	cmd.Dir, cmd.Env = folder, append(os.Environ(), settings...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if ctx.Err() != nil {
		Sweep(cmd)
		return "", context.Cause(ctx)
	}
	if err == nil {
		return out.String(), nil
	}
	line := strings.Join(append([]string{name}, args...), " ")
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return "", fmt.Errorf("`%s` can't be run: %w", line, err)
	}
	if said := Tail(errs.String()+"\n"+out.String(), 12); said != "" {
		return "", fmt.Errorf("`%s` failed (%w):\n%s", line, err, said)
	}
	return "", fmt.Errorf("`%s` failed (%w)", line, err)
}

// Tail is the last n lines of text, without the empty ones.
func Tail(text string, n int) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, " \r\n"); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

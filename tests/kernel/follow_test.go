//go:build slow

package kernel

import (
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// following is a command that runs on, and what it has said so far.
type following struct {
	command *exec.Cmd
	ended   chan struct{}
	mu      sync.Mutex
	text    strings.Builder
}

// follow starts a command that runs on, and ends it with the test if not before.
func follow(t *testing.T, command *exec.Cmd) *following {
	t.Helper()
	f := &following{command: command, ended: make(chan struct{})}
	command.Stdout, command.Stderr = f, f
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = command.Wait() // its exit code tells
		close(f.ended)
	}()
	t.Cleanup(func() { f.end(t) })
	return f
}

// Write implements [io.Writer].
func (f *following) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.text.Write(p)
}

// String implements [fmt.Stringer].
func (f *following) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.text.String()
}

// wait waits until the command has said what matches, and returns the groups.
func (f *following) wait(t *testing.T, pattern *regexp.Regexp) []string {
	t.Helper()
	deadline := time.After(10 * time.Minute)
	for {
		if found := pattern.FindStringSubmatch(f.String()); found != nil {
			return found
		}
		select {
		case <-f.ended:
			if found := pattern.FindStringSubmatch(f.String()); found != nil {
				return found
			}
			t.Fatalf("it ended and never said %s, but\n%s", pattern, f)
		case <-deadline:
			t.Fatalf("it never said %s, but\n%s", pattern, f)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// end interrupts the command, and waits until it has ended.
func (f *following) end(t *testing.T) (code int) {
	t.Helper()
	_ = f.command.Process.Signal(syscall.SIGINT) // it may have ended
	select {
	case <-f.ended:
	case <-time.After(5 * time.Minute):
		t.Errorf("it doesn't end after an interrupt:\n%s", f)
		_ = f.command.Process.Kill()
		<-f.ended
	}
	return f.command.ProcessState.ExitCode()
}

package tests

import (
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// transcript is what a command that runs on has said so far.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements [io.Writer].
func (s *transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// String implements [fmt.Stringer].
func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// follow starts a command that runs on, and kills it if the test ends before.
func follow(t *testing.T, command *exec.Cmd) *transcript {
	t.Helper()
	said := &transcript{}
	command.Stdout, command.Stderr = said, said
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if command.ProcessState == nil {
			_ = command.Process.Kill()
			_ = command.Wait()
		}
	})
	return said
}

// wait waits until the command has said what matches, and returns the groups.
func (s *transcript) wait(t *testing.T, pattern *regexp.Regexp) []string {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if found := pattern.FindStringSubmatch(s.String()); found != nil {
			return found
		}
	}
	t.Fatalf("it never said %s, but\n%s", pattern, s)
	return nil
}

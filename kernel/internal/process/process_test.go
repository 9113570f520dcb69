package process

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	folder, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	out, err := Run(t.Context(), folder, []string{"COLOUR=blue"}, "sh", "-c", "pwd; echo $COLOUR; echo aside >&2")
	if err != nil || out != folder+"\nblue\n" {
		t.Errorf("Run = %q, %v", out, err)
	}
	_, err = Run(t.Context(), "", nil, "sh", "-c", "echo the disk is full >&2; exit 3")
	if err == nil || !strings.Contains(err.Error(), "the disk is full") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("the error is %v; expected the program's words and its status", err)
	}
	if _, err := Run(t.Context(), "", nil, "no-such-program"); err == nil || !strings.Contains(err.Error(), "no-such-program") {
		t.Errorf("the error is %v; expected the program's name", err)
	}
}

// TestRunEndsChildren interrupts a program whose child ignores SIGTERM.
func TestRunEndsChildren(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		script := `sh -c 'trap "" TERM; echo $$ > "$0.new"; mv "$0.new" "$0"; exec sleep 600' "$1" </dev/null >/dev/null 2>&1 & wait`
		_, err := Run(ctx, "", nil, "sh", "-c", script, "sh", pidFile)
		done <- err
	}()
	var pid int
	for pid == 0 {
		text, err := os.ReadFile(pidFile)
		if err == nil {
			if pid, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v, expected that of the context", err)
	}
	for range 20_000 { // the killed child stays a zombie until its new parent asks
		if !alive(t, pid) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("the child %d lives on", pid)
}

func alive(t *testing.T, pid int) bool {
	t.Helper()
	state, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	var none *exec.ExitError
	if err != nil && !errors.As(err, &none) {
		t.Fatal(err)
	}
	return err == nil && !strings.HasPrefix(string(state), "Z")
}

func TestTail(t *testing.T) {
	if got := Tail("a\n\n b \r\nc\n\n", 2); got != " b\nc" {
		t.Errorf("Tail = %q", got)
	}
}

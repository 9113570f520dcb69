package nb_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/nami-flow/go-nami/books/nb"
)

func ExampleMust() {
	n := nb.Must(strconv.Atoi("42"))
	nb.Check(nil)
	fmt.Println(n)
	// Output: 42
}

// What is wrong ends the program with a line that says so.
func TestCheck(t *testing.T) {
	if os.Getenv("NB_FAILS") != "" {
		nb.Must(0, errors.New("the moon is down"))
		return
	}
	command := exec.Command(os.Args[0], "-test.run=TestCheck")
	command.Env = append(os.Environ(), "NB_FAILS=yes")
	out, err := command.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || string(out) != "the moon is down\n" {
		t.Errorf("got %v and %q, expected exit code 1 and the error alone", err, out)
	}
}

// An interrupt ends the context, and says so; only the next one ends the program.
func TestContext(t *testing.T) {
	ctx := nb.Context()
	if err := ctx.Err(); err != nil {
		t.Fatal(err)
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Signal(os.Interrupt)
	}
	if err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if got := context.Cause(ctx).Error(); got != "interrupt signal received" {
		t.Errorf("the cause is %q", got)
	}
}

package nb_test

import (
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

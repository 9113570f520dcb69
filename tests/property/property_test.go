package property_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/tests/property"

	"pgregory.net/rapid"
)

// drawn are the numbers of one run of a property.
func drawn(check func(t *testing.T, property func(t *rapid.T)), t *testing.T) (all []int) {
	check(t, func(t *rapid.T) { all = append(all, rapid.Int().Draw(t, "n")) })
	return all
}

// TestDraw prints what it draws; [TestSeed] runs it in processes of its own.
func TestDraw(t *testing.T) {
	t.Log("drawn:", drawn(property.Check, t))
}

// The cases are the same in each process, unless another seed is asked for, by the flag or
// the environment: 0 is a random one.
func TestSeed(t *testing.T) {
	draw := func(environment string, arguments ...string) string {
		command := exec.Command(os.Args[0], append(arguments, "-test.run=^TestDraw$", "-test.v")...)
		command.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "RAPID_SEED=") })
		if environment != "" {
			command.Env = append(command.Env, environment)
		}
		out, err := command.CombinedOutput()
		cases := regexp.MustCompile(`drawn: .*`).FindString(string(out))
		if err != nil || cases == "" {
			t.Fatalf("%v: %s", err, out)
		}
		return cases
	}
	usual := draw("")
	if again := draw(""); again != usual {
		t.Errorf("another process drew %.60s, expected %.60s", again, usual)
	}
	if same := draw("", "-rapid.seed=1"); same != usual {
		t.Errorf("with the seed 1 a process drew %.60s, expected %.60s", same, usual)
	}
	if draw("", "-rapid.seed=2") == usual || draw("RAPID_SEED=2") == usual {
		t.Errorf("the seed 2 draws as 1 does")
	}
	if draw("", "-rapid.seed=2") != draw("RAPID_SEED=2") {
		t.Errorf("the flag and the environment draw differently")
	}
	if one, other := draw("", "-rapid.seed=0"), draw("", "-rapid.seed=0"); one == other {
		t.Errorf("the seed 0 draws the same twice")
	}
}

func TestCheckPart(t *testing.T) {
	for _, part := range []struct{ perHundred, want int }{{60, 60}, {100, 100}, {0, 1}} {
		got := len(drawn(func(t *testing.T, f func(t *rapid.T)) { property.CheckPart(t, part.perHundred, f) }, t))
		if all := len(drawn(property.Check, t)); got != max(1, all*part.perHundred/100) {
			t.Errorf("%d for each hundred of %d are %d", part.perHundred, all, got)
		}
	}
}

// Every property test is run by this package, so that none draws from a random seed.
func TestEveryPropertyTest(t *testing.T) {
	own := regexp.MustCompile(`\brapid\.(Check|MakeCheck)\(`)
	err := filepath.WalkDir("../..", func(path string, file os.DirEntry, err error) error {
		if err != nil || file.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		if dir := filepath.Base(filepath.Dir(path)); dir == "property" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err == nil && own.Match(text) {
			t.Errorf("%s calls rapid.Check: call property.Check of tests/property", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

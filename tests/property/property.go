// Package property runs property tests on the same random cases each time, so that a change
// that breaks a property fails at once, and no other change does.
//
// The seed is 1. Another one is given, as by -rapid.seed=2 or RAPID_SEED=2, to reproduce a
// failure or to look for one; with -rapid.seed=0 each run draws its own, and prints it where
// a test fails:
//
//	go test ./nami/shape -run Any -count=5 -rapid.seed=0
package property

import (
	"flag"
	"os"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// init runs before the flags of the command line are read, so that those still count.
func init() {
	if _, given := os.LookupEnv("RAPID_SEED"); !given {
		set("rapid.seed", "1")
	}
	// The seed reproduces a failure; a file would stay in the package's folder.
	set("rapid.nofailfile", "true")
}

// set sets a flag of rapid's, and its default, which -help prints.
func set(name, value string) {
	f := flag.Lookup(name)
	if err := f.Value.Set(value); err != nil {
		panic(err)
	}
	f.DefValue = value
}

// Check is [rapid.Check] with the package's seed.
func Check(t *testing.T, property func(t *rapid.T)) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		begin(t)
		defer cases.Delete(t)
		property(t)
	})
}

// CheckPart is [Check] with so many cases for each hundred of rapid's own, for tests of which
// each case takes long.
func CheckPart(t *testing.T, perHundred int, property func(t *rapid.T)) {
	t.Helper()
	checks := flag.Lookup("rapid.checks").Value
	usual := checks.String()
	n, err := strconv.Atoi(usual)
	if err != nil {
		t.Fatal(err)
	}
	set := func(n string) {
		if err := checks.Set(n); err != nil {
			t.Fatal(err)
		}
	}
	set(strconv.Itoa(max(1, n*perHundred/100)))
	defer set(usual)
	Check(t, property)
}

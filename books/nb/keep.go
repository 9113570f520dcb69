package nb

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Keep returns a value that is kept by name for the later cells of the kernel's session: it
// calls make where there is none yet, or where the code that made it has changed since.
//
//	func points() *tensors.Tensor {
//		return nb.Keep("points", func() (*tensors.Tensor, error) {
//			return toy.TwoMoons{Noise: 0.05}.Sample(1, 20_000)
//		})
//	}
//
// A cell that calls points, whichever, then has the same tensor without drawing it again. When
// a value is found, and when it is made anew, Keep prints a line that says so and why. An
// error of make's ends the cell, as [Check] does, and nothing is kept.
//
// What counts as the code is the function make, and all that it refers to, directly or not:
// functions, methods, types, constants and variables of the notebook, whichever cell declares
// them; the lines above, in the same function, that concern a local variable which it uses;
// the packages of nami and of your own module, by the text of their files; versions of other
// modules; the variables NAMI_*, GOMLX_*, XLA_* and those that it gets by os.Getenv; the
// program's flags, if it uses any; and the files that it reads, as far as [Reads] says.
// Comments and spaces don't count. What the code can't tell has to be given: a parameter of
// the function around, a variable of a loop, a variable that some function assigns. Such a
// variable is an error until it stands behind make, where its value counts:
//
//	func trained(steps int) *train.History {
//		return nb.Keep("trained", func() (*train.History, error) { … steps … }, steps)
//	}
//
// Not seen is what other code changes behind a pointer at package level, the network, the
// time, and random numbers without a seed.
//
// T is a tensor, a model's store (its weights, as train.Save keeps them), a type with
// MarshalBinary and UnmarshalBinary, or numbers, strings, slices, arrays, maps, pointers and
// structs with exported fields of those. Another type is an error before make is called. Each
// call returns a new copy, so that changing one changes nothing that is kept.
//
// Values are in memory, in a folder of the kernel's that is gone when it restarts or ends. A
// value that doesn't fit is returned, and a line says that it isn't kept. Outside a notebook
// Keep calls make.
func Keep[T any](name string, make func() (T, error), given ...any) T {
	place, inside := cellPlace()
	if !inside {
		return Must(make())
	}
	value, err := keep(os.Getenv(keptFolder), place, name, make, given)
	Check(err)
	return value
}

// keep keeps a value in a folder, for a call of Keep at a place.
func keep[T any](folder string, place runtime.Frame, name string, make func() (T, error), given []any) (value T, err error) {
	if err := keepable(reflect.TypeFor[T]()); err != nil {
		return value, fmt.Errorf("%s can't be kept: %w", name, err)
	}
	now := about{Name: name, Type: reflect.TypeFor[T]().String(), Made: time.Now()}
	if now.Code, err = codeOf(place, name); err != nil {
		return value, fmt.Errorf("%s can't be kept: %w", name, err)
	}
	for i, v := range given {
		if now.Code[fmt.Sprint(givenValue, i+1)], err = hashValue(v); err != nil {
			return value, fmt.Errorf("%s can't be kept: what is given, value %d, doesn't tell its value: %w", name, i+1, err)
		}
	}
	dir := filepath.Join(folder, hash(name))
	before, err := readAbout(dir)
	why := ""
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		why = "what was kept can't be read: " + err.Error()
	default:
		if why = before.differs(now); why == "" {
			v, err := decode(dir, reflect.TypeFor[T]())
			if err == nil {
				fmt.Printf("%s: kept, from %s\n", name, before.when())
				return v.Interface().(T), nil
			}
			why = "what was kept can't be read: " + err.Error()
		}
	}
	if why != "" {
		fmt.Printf("%s: made anew, as %s\n", name, why)
	}
	outer := read.begin()
	value, err = make()
	now.Files = read.end(outer)
	if err != nil {
		return value, err
	}
	now.Made = time.Now()
	if err := write(dir, now, reflect.ValueOf(&value).Elem()); err != nil {
		fmt.Printf("%s: can't be kept, so the next cell makes it anew: %v\n", name, err)
	}
	return value, nil
}

// Kept returns the value that an earlier cell kept by [Keep] under a name, from whichever
// function, and prints a line that says from when it is. It is an error, which ends the cell,
// if there is none, if it is of another type, or if the code that made it has changed since:
// then the cell that makes it is to be run again.
func Kept[T any](name string) T {
	place, inside := cellPlace()
	if !inside {
		Check(fmt.Errorf("%s can't be had outside a notebook: nothing is kept there", name))
	}
	value, err := getKept[T](os.Getenv(keptFolder), place.File, name)
	Check(err)
	return value
}

// getKept gets what is kept in a folder, for a program in a file.
func getKept[T any](folder, program, name string) (value T, err error) {
	dir := filepath.Join(folder, hash(name))
	before, err := readAbout(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return value, fmt.Errorf("nothing is kept as %q: run the cell that makes it with nb.Keep. Kept are %s", name, names(folder))
	case err != nil:
		return value, err
	}
	if wanted := reflect.TypeFor[T]().String(); wanted != before.Type {
		return value, fmt.Errorf("%q is kept as a %s, not as a %s", name, before.Type, wanted)
	}
	changed, err := before.stale(program)
	if err != nil {
		return value, err
	}
	if changed != "" {
		return value, fmt.Errorf("%q is from %s, and %s since: run the cell that makes it again", name, before.when(), changed)
	}
	v, err := decode(dir, reflect.TypeFor[T]())
	if err != nil {
		return value, err
	}
	fmt.Printf("%s: kept, from %s\n", name, before.when())
	return v.Interface().(T), nil
}

// about is what is known of a kept value.
type about struct {
	Name, Type string
	Made       time.Time
	Code       map[string]string // hashes of the pieces of code that it depends on, by what they are
	Files      map[string]string // what the files were like that it was made from
}

func (a about) when() string { return a.Made.Format("15:04:05") }

// differs says what has changed in the making of a value; empty if nothing has.
func (a about) differs(now about) string {
	if a.Type != now.Type {
		return fmt.Sprintf("it was a %s and is a %s", a.Type, now.Type)
	}
	var changed []string
	for part := range maps.Keys(merged(a.Code, now.Code)) {
		if a.Code[part] != now.Code[part] {
			changed = append(changed, part)
		}
	}
	if len(changed) > 0 {
		return hasChanged(changed)
	}
	return a.newFiles()
}

// newFiles says which files have changed.
func (a about) newFiles() string {
	var changed []string
	for file, state := range a.Files {
		if stateOf(file) != state {
			changed = append(changed, "the file "+file)
		}
	}
	if len(changed) == 0 {
		return ""
	}
	return hasChanged(changed)
}

// hasChanged lists what has changed, at most three of it.
func hasChanged(parts []string) string {
	slices.Sort(parts)
	if n := len(parts); n > 3 {
		parts = append(parts[:3:3], fmt.Sprintf("%d more", n-3))
	}
	verb := " has changed"
	if len(parts) > 1 {
		verb = " have changed"
	}
	return strings.Join(parts, ", ") + verb
}

func merged(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

const (
	aboutFile = "about.json"
	valueFile = "value"
)

func readAbout(dir string) (a about, err error) {
	text, err := os.ReadFile(filepath.Join(dir, aboutFile))
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(text, &a)
}

// write puts a value in the place of what was kept.
func write(dir string, a about, value reflect.Value) error {
	beside, err := os.MkdirTemp(filepath.Dir(dir), ".new-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(beside) }() // gone after the renaming
	if err := encode(beside, value); err != nil {
		return err
	}
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(beside, aboutFile), text, 0o600),
		os.RemoveAll(dir),
		os.Rename(beside, dir))
}

// names lists what is kept.
func names(folder string) string {
	var all []string
	found, _ := filepath.Glob(filepath.Join(folder, "*", aboutFile)) // the pattern is well-formed
	for _, file := range found {
		if a, err := readAbout(filepath.Dir(file)); err == nil {
			all = append(all, a.Name)
		}
	}
	if len(all) == 0 {
		return "none"
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func hash(texts ...string) string {
	sum := sha256.New()
	for _, text := range texts {
		fmt.Fprintf(sum, "%d\n%s", len(text), text)
	}
	return hex.EncodeToString(sum.Sum(nil))[:24]
}

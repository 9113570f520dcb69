package property

import (
	"fmt"
	"slices"
	"sync"

	"pgregory.net/rapid"
)

// drawn is what is known of a case: whether all that [Mostly] draws is to fit, as in every
// second case, and what doesn't.
type drawn struct {
	allFits bool
	odd     []string
}

// cases are those that run.
var cases sync.Map // of *drawn, by *rapid.T, which rapid uses for one case after the other

func of(t *rapid.T) *drawn {
	known, ok := cases.Load(t)
	if !ok {
		panic("the property is checked without property.Check")
	}
	return known.(*drawn)
}

// begin starts a case.
func begin(t *rapid.T) { cases.Store(t, &drawn{allFits: rapid.Bool().Draw(t, "all fits")}) }

// Mostly draws what is usual, or in one of 16 of the cases in which not all has to fit
// something odd.
func Mostly[T any](t *rapid.T, name string, usual T, odd ...T) T {
	if AllFits(t) {
		return usual
	}
	values := slices.Concat(slices.Repeat([]T{usual}, 15*len(odd)), odd)
	i := rapid.IntRange(0, len(values)-1).Draw(t, name)
	if i >= 15*len(odd) {
		Odd(t, fmt.Sprintf("%s is %v", name, values[i]))
	}
	return values[i]
}

// Odd notes that something in this case doesn't fit, so that what is tested may refuse it.
// Where nothing is odd, it must not. [Mostly] notes what it draws; a property notes what
// doesn't fit together.
func Odd(t *rapid.T, what string) { of(t).odd = append(of(t).odd, what) }

// OddIf notes that something doesn't fit if a condition holds.
func OddIf(t *rapid.T, doesNotFit bool, what string) {
	if doesNotFit {
		Odd(t, what)
	}
}

// AllFits is true in every second case, in which nothing odd is to be drawn.
func AllFits(t *rapid.T) bool { return of(t).allFits }

// Fits is true as long as nothing odd was noted in this case.
func Fits(t *rapid.T) bool { return len(of(t).odd) == 0 }

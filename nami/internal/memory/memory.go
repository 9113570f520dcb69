// Package memory tells what fits into this machine's memory.
package memory

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// Check is an error if so many things of so many bytes each are more than the machine has,
// or than this process may have. It says both. The error calls the things what.
func Check(what string, bytesEach int, counts ...int) error {
	most := available()
	need, overflow := uint64(bytesEach), false
	for _, n := range counts {
		high, low := bits.Mul64(need, uint64(n))
		need, overflow = low, overflow || high > 0
	}
	switch {
	case overflow:
		return fmt.Errorf("%s would need more than %s of memory, and there are %s: ask for fewer at a time", what, format(math.MaxUint64), format(most))
	case need > most:
		return fmt.Errorf("%s would need %s of memory, and there are %s: ask for fewer at a time", what, format(need), format(most))
	}
	return nil
}

// unknown stands for the memory of a machine that can't be asked: what no machine has.
const unknown = 1 << 46

// least is what a process may have of the machine's memory, 0 if that isn't known, within
// limits.
func least(total uint64, limits ...uint64) uint64 {
	if total == 0 {
		total = unknown
	}
	return slices.Min(append(limits, total))
}

// format is a number of bytes in words.
func format(bytes uint64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	v, unit := float64(bytes), 0
	for v >= 1000 && unit < len(units)-1 {
		v, unit = v/1000, unit+1
	}
	return fmt.Sprintf("%.3g %s", v, units[unit])
}

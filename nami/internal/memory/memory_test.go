package memory

import (
	"math"
	"strings"
	"testing"
)

// What is far beyond any machine is refused, products beyond 64 bits too, and what is small
// isn't.
func TestCheck(t *testing.T) {
	for want, counts := range map[string][]int{
		"samples would need 8 EB of memory, and there are ":           {1e18, 1},
		"samples would need more than 18.4 EB of memory, and there a": {9e18, 1},
		"would need more than 18.4 EB":                                {math.MaxInt, math.MaxInt, 4},
	} {
		if err := Check("samples", 8, counts...); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "B: ask for fewer") {
			t.Errorf("%v: got %v, expected %q", counts, err, want)
		}
	}
	if err := Check("samples", 8, 1000, 10); err != nil {
		t.Error(err)
	}
	if most := available(); most < 1<<27 {
		t.Errorf("there are %d bytes of memory in all", most)
	}
}

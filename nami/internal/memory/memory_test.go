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

// A total that isn't known is no total of 0, and leaves the limits in force.
func TestLeast(t *testing.T) {
	for _, c := range []struct {
		total  uint64
		limits []uint64
		want   uint64
	}{
		{8e9, nil, 8e9},
		{8e9, []uint64{math.MaxUint64, 5e9}, 5e9},
		{8e9, []uint64{9e9}, 8e9},
		{0, nil, 1 << 46},
		{0, []uint64{math.MaxUint64}, 1 << 46},
		{0, []uint64{math.MaxUint64, 5e9}, 5e9},
	} {
		if got := least(c.total, c.limits...); got != c.want {
			t.Errorf("of %d bytes within %v there are %d, expected %d", c.total, c.limits, got, c.want)
		}
	}
}

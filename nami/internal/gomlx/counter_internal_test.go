package gomlx

import "testing"

// The known answers of Threefry-2x32 with 20 rounds, from Random123's test vectors.
func TestThreefry(t *testing.T) {
	for _, c := range []struct {
		key, counter, want [2]uint32
	}{
		{[2]uint32{0, 0}, [2]uint32{0, 0}, [2]uint32{0x6b200159, 0x99ba4efe}},
		{[2]uint32{0xffffffff, 0xffffffff}, [2]uint32{0xffffffff, 0xffffffff}, [2]uint32{0x1cb996fc, 0xbb002be7}},
		{[2]uint32{0x13198a2e, 0x03707344}, [2]uint32{0x243f6a88, 0x85a308d3}, [2]uint32{0xc4923a9c, 0x483df7a0}},
	} {
		a, b := hostThreefry(c.key, c.counter[0], c.counter[1])
		if got := [2]uint32{a, b}; got != c.want {
			t.Errorf("key %x, counter %x: got %x, expected %x", c.key, c.counter, got, c.want)
		}
	}
}

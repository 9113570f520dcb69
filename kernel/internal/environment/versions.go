package environment

import (
	"strconv"
	"strings"
)

// less compares versions by their numbers; what follows a number, as in 4.6.0rc1, is
// ignored.
func less(a, b string) bool {
	x, y := numbers(a), numbers(b)
	for i := range max(len(x), len(y)) {
		var p, q int
		if i < len(x) {
			p = x[i]
		}
		if i < len(y) {
			q = y[i]
		}
		if p != q {
			return p < q
		}
	}
	return false
}

func numbers(version string) (parts []int) {
	for text := range strings.SplitSeq(version, ".") {
		end := 0
		for end < len(text) && text[end] >= '0' && text[end] <= '9' {
			end++
		}
		n, err := strconv.Atoi(text[:end])
		if err != nil {
			break
		}
		parts = append(parts, n)
	}
	return parts
}

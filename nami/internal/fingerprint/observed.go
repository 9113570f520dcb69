package fingerprint

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// observed is what a graph's nodes don't keep, in the order of the nodes: a digest of each
// constant, and the axis of each sort.
type observed struct{ constants, sorts []string }

// Constant implements gomlx.Observer. A single number is written out.
func (o *observed) Constant(flat any, dims []int) {
	if len(dims) == 0 {
		o.constants = append(o.constants, fmt.Sprint(flat))
		return
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%T %v", flat, flat))
	o.constants = append(o.constants, hex.EncodeToString(sum[:6]))
}

// Sort implements gomlx.Observer.
func (o *observed) Sort(axis int, stable bool) {
	o.sorts = append(o.sorts, fmt.Sprintf("axis %d, stable %v", axis, stable))
}

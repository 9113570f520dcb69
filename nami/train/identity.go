package train

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"sort"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/nami-flow/go-nami/nami/loss"
)

// identity says which run a checkpoint belongs to. The number of steps isn't part of
// it, except with [Decay]: a run may be continued.
type identity map[string]string

// address matches pointers, which differ from process to process.
var address = regexp.MustCompile(`0x[0-9a-f]+`)

func identify(c config, l loss.Loss, x *tensors.Tensor) (identity, error) {
	data, err := digest(x)
	if err != nil {
		return nil, err
	}
	id := identity{
		"loss":          address.ReplaceAllString(fmt.Sprintf("%v", l), "func"),
		"data":          data,
		"batch size":    fmt.Sprint(c.batchSize),
		"learning rate": fmt.Sprint(c.learningRate),
		"seed":          fmt.Sprint(c.seed),
		"context":       "none",
		"decay":         "none",
	}
	if c.decay {
		id["decay"] = fmt.Sprintf("over %d steps", c.steps)
	}
	for name, t := range map[string]*tensors.Tensor{"context": c.context, "mask": c.mask, "source": c.source, "weights": c.weight} {
		if t != nil {
			if id[name], err = digest(t); err != nil {
				return nil, err
			}
		}
	}
	if c.coupling != nil {
		id["coupling"] = fmt.Sprintf("%T %v", c.coupling, c.coupling)
	}
	return id, nil
}

// digest is a tensor's shape and the first digits of its bytes' hash.
func digest(x *tensors.Tensor) (string, error) {
	var sum [sha256.Size]byte
	err := x.ConstBytes(func(raw []byte) { sum = sha256.Sum256(raw) })
	return x.Shape().String() + " " + hex.EncodeToString(sum[:6]), err
}

// differs lists what sets other apart from id, empty if nothing does.
func (id identity) differs(other identity) string {
	var lines []string
	for key, value := range id {
		if other[key] != value {
			lines = append(lines, fmt.Sprintf("%s is %s here and was %s", key, value, other[key]))
		}
	}
	sort.Strings(lines)
	return strings.Join(lines, "; ")
}

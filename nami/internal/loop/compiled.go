package loop

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// maxKept bounds how many compiled graphs a [Single] or a [Program] keeps, the most
// recently used ones: one for each combination of input shapes.
const maxKept = 16

// compiled is a graph for one combination of shapes.
type compiled struct {
	key     string
	exec    *model.Exec
	store   *model.Store
	onHost  bool  // it makes one step, else it loops
	success bool  // it ran at least once
	failure error // why the graph can't be built
}

// call runs c. Its inputs are only read.
func (c *compiled) call(inputs ...[]*tensors.Tensor) (out []*tensors.Tensor, err error) {
	var args []any
	for _, ts := range inputs {
		for _, t := range ts {
			args = append(args, t)
		}
	}
	if !c.success {
		defer lock(c.store)()
	}
	err = gomlx.Try(func() (err error) {
		out, err = c.exec.Call(args...)
		return err
	})
	switch {
	case c.failure != nil: // said plainly, without GoMLX's account of where it was
		return nil, c.failure
	case err != nil:
		return nil, err
	}
	c.success = true
	return out, nil
}

// cache holds what is compiled over one store, the most recently used one last.
type cache struct {
	backend compute.Backend
	store   *model.Store
	kept    []*compiled
}

// find returns what is kept for key and makes it the most recently used one; nil if
// nothing is.
func (c *cache) find(key string) *compiled {
	for i, k := range c.kept {
		if k.key == key {
			c.kept = append(append(c.kept[:i:i], c.kept[i+1:]...), k)
			return k
		}
	}
	return nil
}

// add keeps build's graph for key; it is compiled when it is first called.
func (c *cache) add(key string, onHost bool, build func(scope *model.Scope, in []*Node) []*Node) (*compiled, error) {
	k := &compiled{key: key, store: c.store, onHost: onHost}
	exec, err := model.NewExec(c.backend, c.store, func(scope *model.Scope, in []*Node) (out []*Node) {
		k.failure = gomlx.Try(func() error {
			out = build(scope, in)
			return checkOutputs(out)
		})
		if k.failure != nil {
			panic(k.failure)
		}
		return out
	})
	if err != nil {
		return nil, err
	}
	k.exec = exec
	c.kept = append(c.kept, k)
	if len(c.kept) > maxKept {
		c.drop(c.kept[0])
	}
	return k, nil
}

// checkOutputs refuses a graph that computes nothing: GoMLX panics at it in a way that
// leaves the Exec waiting for its own compilation for ever.
func checkOutputs(out []*Node) error {
	if len(out) == 0 {
		return errors.New("the graph has no outputs: return at least one node")
	}
	for i, node := range out {
		if node == nil {
			return fmt.Errorf("output %d of the graph is nil: return nodes only", i)
		}
	}
	return nil
}

func (c *cache) drop(k *compiled) {
	for i := range c.kept {
		if c.kept[i] == k {
			c.kept = append(c.kept[:i:i], c.kept[i+1:]...)
			break
		}
	}
	k.exec.Finalize()
}

// Key is the combination of shapes.
func Key(inputs ...[]*tensors.Tensor) string {
	var key strings.Builder
	for _, ts := range inputs {
		for _, t := range ts {
			key.WriteString(t.Shape().String())
		}
		key.WriteByte(';')
	}
	return key.String()
}

package train

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/fingerprint"
	"github.com/nami-flow/go-nami/nami/loss"
)

// identity says which run a checkpoint belongs to, in words by what they are of. The number
// of steps isn't part of it, except with a schedule that depends on it: a run may be
// continued.
type identity map[string]string

// identify is the identity of a fit. The code of its graphs is apart, as it isn't words.
func identify(c config, l loss.Loss, batches data.Batches) (identity, error) {
	id := identity{
		"loss":          fingerprint.Describe(l),
		"batch size":    fmt.Sprint(c.batchSize),
		"seed":          fmt.Sprint(c.seed),
		"optimizer":     "Adam",
		"learning rate": fmt.Sprint(c.learningRate),
		"accumulation":  fmt.Sprint(c.accumulate),
	}
	if c.has("Optimizer") {
		id["optimizer"] = fmt.Sprintf("%T", c.optimizer) // its numbers are in the graph
	}
	if c.learningRate > 0 && c.schedule == nil {
		id["schedule"] = "a constant rate"
	}
	if c.schedule != nil {
		id["schedule"] = fingerprint.Describe(c.schedule)
		if dependsOnSteps(c.schedule) {
			id["schedule"] += fmt.Sprintf(" over %d steps", c.steps)
		}
	}
	if c.weightDecay > 0 {
		id["weight decay"] = fmt.Sprint(c.weightDecay)
	}
	if c.clip > 0 {
		id["clipping"] = fmt.Sprint(c.clip)
	}
	for _, a := range c.averages {
		id["average "+a.name] = fmt.Sprint(a.decay)
	}
	if c.coupling != nil {
		id["coupling"] = fingerprint.Describe(c.coupling)
		if c.together > 1 {
			id["coupling"] += fmt.Sprintf(" of %d batches together", c.together)
		}
	}
	return id, id.addData(c, batches)
}

// addData adds digests of all that is learned from and measured.
func (id identity) addData(c config, batches data.Batches) error {
	parts, err := batches.Identity()
	if err != nil {
		return err
	}
	maps.Copy(id, parts)
	if c.start != nil {
		if id["events to start from"], err = data.Digest(c.start); err != nil {
			return err
		}
	}
	v := c.validation
	if v == nil {
		return nil
	}
	id["validation"] = fmt.Sprintf("every %d steps, patience %d, of weights %q", v.every(), v.Patience, v.Weights)
	for _, p := range v.Events.Parts() {
		if id["validation "+p.Name], err = data.Digest(p.Value); err != nil {
			return err
		}
	}
	return nil
}

// differs lists what sets other apart from id, empty if nothing does.
func (id identity) differs(other identity) string {
	var lines []string
	or := func(value string) string {
		if value == "" {
			return "none"
		}
		return value
	}
	keys := slices.Collect(maps.Keys(id))
	for key := range other {
		if _, both := id[key]; !both {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		if id[key] != other[key] {
			lines = append(lines, fmt.Sprintf("%s is %s here and was %s", key, or(id[key]), or(other[key])))
		}
	}
	return strings.Join(lines, "; ")
}

package modelfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Compare is an error if given isn't what the file holds, and names every difference by its place:
// "Field.Activation is "Relu", and the file has "Silu"". It compares what given has: Model, Event,
// Context, Columns and Units, which must be in the same order, too. Solver and Guidance aren't
// compared: they may be changed after training. Defaults are the same as their values.
func (f File) Compare(given File) error {
	var c comparison
	if given.Model != nil {
		here, err := describe("Model", given.Model)
		if err != nil {
			return fmt.Errorf("modelfile: the model that is given can't be compared: %w", err)
		}
		file, err := describe("Model", f.Model)
		if err != nil {
			return fmt.Errorf("modelfile: the file's model can't be compared: %w", err)
		}
		c.part("Model", here, file)
	}
	for _, part := range []struct {
		name       string
		asked      bool
		here, file any
	}{
		{"Event", given.Event != nil, given.Event, f.Event},
		{"Context", given.Context != nil, given.Context, f.Context},
		{"Columns", given.hasColumns(), given.Columns, f.Columns},
		{"Units", given.Units != nil, given.Units, f.Units},
	} {
		if !part.asked {
			continue
		}
		here, err := treeOf(part.here)
		if err != nil {
			return err
		}
		file, err := treeOf(part.file)
		if err != nil {
			return err
		}
		c.compare(part.name, here, file)
	}
	if len(c.differences) == 0 {
		return nil
	}
	return errors.New("modelfile: the file holds another model than the one that is given: " + strings.Join(c.differences, "; "))
}

// treeOf is plain data as a tree.
func treeOf(v any) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return parse(text)
}

// comparison collects the differences of two trees.
type comparison struct{ differences []string }

func (c *comparison) differ(at string, here, file any) {
	c.differences = append(c.differences, fmt.Sprintf("%s is %s, and the file has %s%s", at, text(here), text(file), reordered(here, file)))
}

// afterTraining are parameters of a model that may be changed when it is trained.
var afterTraining = []string{"Solver", "Guidance"}

// part compares two whole models.
func (c *comparison) part(at string, here, file any) {
	a, b := here.(object), file.(object)
	if a.get("type") != b.get("type") {
		c.differ(at, here, file)
		return
	}
	without := func(o object) object {
		parameters, _ := o.get("parameters").(object)
		return slices.DeleteFunc(slices.Clone(parameters), func(m member) bool { return slices.Contains(afterTraining, m.key) })
	}
	c.members("", without(a), without(b))
}

func (c *comparison) compare(at string, here, file any) {
	if isEmpty(here) && isEmpty(file) {
		return
	}
	switch a := here.(type) {
	case object:
		b, ok := file.(object)
		if !ok || a.get("type") != b.get("type") {
			c.differ(at, here, file)
			return
		}
		if _, is := a.get("type").(string); is {
			pa, pb := a.get("parameters"), b.get("parameters")
			_, both := pb.(object)
			if _, is := pa.(object); is && both {
				c.members(at, pa.(object), pb.(object))
				return
			}
			c.compare(at, pa, pb)
			return
		}
		c.members(at, a, b)
	case list:
		b, ok := file.(list)
		if !ok || len(a) != len(b) || !nested(a) {
			if !equal(here, file) {
				c.differ(at, here, file)
			}
			return
		}
		for i := range a {
			c.compare(fmt.Sprintf("%s[%d]", at, i), a[i], b[i])
		}
	default:
		if !equal(here, file) {
			c.differ(at, here, file)
		}
	}
}

// members compares the members of two objects by their keys.
func (c *comparison) members(at string, here, file object) {
	keys := []string{}
	for _, m := range slices.Concat(here, file) {
		if !slices.Contains(keys, m.key) {
			keys = append(keys, m.key)
		}
	}
	for _, key := range keys {
		c.compare(strings.TrimPrefix(at+"."+key, "."), here.get(key), file.get(key))
	}
}

// isEmpty is true for what is left out, and for an empty list or object, which mean the same.
func isEmpty(tree any) bool {
	switch tree := tree.(type) {
	case nil:
		return true
	case list:
		return len(tree) == 0
	case object:
		return len(tree) == 0
	}
	return false
}

// nested is true for a list of lists or objects.
func nested(l list) bool {
	return slices.ContainsFunc(l, func(v any) bool {
		switch v.(type) {
		case list, object:
			return true
		}
		return false
	})
}

// equal compares plain values and lists of them; numbers by their value.
func equal(a, b any) bool {
	la, isA := a.(list)
	lb, isB := b.(list)
	if isA && isB {
		return slices.EqualFunc(la, lb, equal)
	}
	na, isA := a.(json.Number)
	nb, isB := b.(json.Number)
	if isA && isB {
		fa, errA := na.Float64()
		fb, errB := nb.Float64()
		return na == nb || errA == nil && errB == nil && fa == fb
	}
	return text(a) == text(b)
}

// reordered says that two lists hold the same in another order.
func reordered(here, file any) string {
	a, isA := here.(list)
	b, isB := file.(list)
	if !isA || !isB || len(a) != len(b) {
		return ""
	}
	sorted := func(l list) []string {
		var out []string
		for _, v := range l {
			out = append(out, text(v))
		}
		slices.Sort(out)
		return out
	}
	if slices.Equal(sorted(a), sorted(b)) {
		return " (the same in another order)"
	}
	return ""
}

// text is a tree for people: a part's type without its parameters, and the beginning of a long
// list.
func text(tree any) string {
	if tree == nil {
		return "nothing"
	}
	if o, ok := tree.(object); ok {
		if name, is := o.get("type").(string); is {
			return "a " + name
		}
	}
	raw, err := json.Marshal(tree)
	if err != nil {
		return kindOf(tree)
	}
	return short(string(raw))
}

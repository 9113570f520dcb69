package data

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nami-flow/go-nami/nami/internal/table"
)

// Columns says which columns of a table are what of its [Events]. It is plain data, in JSON
// too: kept beside a model it makes the same events, and the same contexts, of another table.
type Columns struct {
	// X are the columns of the events. Numbers and booleans, which are 0 and 1.
	X []string `json:"x"`

	// Context are the columns of numbers and booleans that the events are conditioned on.
	Context []string `json:"context,omitempty"`

	// Classes are columns whose values are classes: each is one-hot in the context, behind
	// the columns of Context.
	Classes []Class `json:"classes,omitempty"`

	// Weight is the column of weights; "" for none.
	Weight string `json:"weight,omitempty"`

	// Mask has a column for each object of an event, with 1 for an object and 0 for padding.
	// X are then all features of the first object, all of the second and so on, and the
	// events have the shape [n, objects, features]. What is missing in padding becomes 0.
	Mask []string `json:"mask,omitempty"`

	// Source are the columns of an event of another distribution that belongs to each, in
	// the order of X.
	Source []string `json:"source,omitempty"`

	// Float64 makes events of Float64; they are of Float32 otherwise.
	Float64 bool `json:"float64,omitempty"`
}

// Class is a column of texts, integers, booleans, or floats that are integers, whose values
// are classes.
type Class struct {
	Column string `json:"column"`

	// Names are the values in the order of their places in the context, integers in digits.
	// [Columns.Fit] fills them in if there are none.
	Names []string `json:"names"`

	// Most is how many different values Fit takes for classes: 50 numbers or 1000 texts if 0.
	// More are probably no classes.
	Most int `json:"-"`
}

// Names are the names of all columns that are used.
func (c Columns) Names() []string {
	names := slices.Concat(c.X, c.contexts(), c.Mask, c.Source)
	if c.Weight != "" {
		names = append(names, c.Weight)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// contexts are the names of those that the context is made of.
func (c Columns) contexts() []string {
	names := slices.Clone(c.Context)
	for _, class := range c.Classes {
		names = append(names, class.Column)
	}
	return names
}

// ContextSize is the number of values that a context has: one for each column of Context,
// and one for each class. Classes without names count for nothing.
func (c Columns) ContextSize() int {
	size := len(c.Context)
	for _, class := range c.Classes {
		size += len(class.Names)
	}
	return size
}

// Validate reports columns that can't make events: none in X, one that is named twice, and
// numbers of X, Mask and Source that don't fit.
func (c Columns) Validate() error {
	if len(c.X) == 0 {
		return errors.New("data.Columns: X names no column: give those that the events are made of")
	}
	for _, part := range []struct {
		name    string
		columns []string
	}{
		{"X", c.X}, {"Context, Classes and X", append(c.contexts(), c.X...)}, {"Mask", c.Mask}, {"Source", c.Source},
	} {
		sorted := slices.Sorted(slices.Values(part.columns))
		for i, name := range sorted {
			if i > 0 && sorted[i-1] == name {
				return fmt.Errorf("data.Columns: the column %q is named twice in %s: expected it once", name, part.name)
			}
		}
	}
	if n := len(c.Mask); n > 0 && len(c.X)%n != 0 {
		return fmt.Errorf("data.Columns: X names %d columns, and Mask %d, one for each object: expected as many features for each object", len(c.X), n)
	}
	if n := len(c.Source); n > 0 && n != len(c.X) {
		return fmt.Errorf("data.Columns: Source names %d columns, and X %d: expected as many", n, len(c.X))
	}
	return c.validateClasses()
}

func (c Columns) validateClasses() error {
	for _, class := range c.Classes {
		seen := map[string]bool{}
		for _, name := range class.Names {
			if seen[name] {
				return fmt.Errorf("data.Columns: the classes of %q have the name %q twice", class.Column, name)
			}
			seen[name] = true
		}
	}
	return nil
}

// How many classes a column may have unless Class.Most says otherwise: more are probably no
// classes, but numbers or names.
const (
	mostNumbers = 50
	mostTexts   = 1000
)

// Fit fills in the names of the classes that have none: all values of the column in the
// table, sorted, numbers by their size. Fit on the whole table, before it is split, so that
// all parts know the same classes. It is an error if there are more of them than Class.Most, or
// if two differ by spaces or capitals alone, as "gluon" and " Gluon" do: then one is probably a
// slip. Names that are given are taken as they are.
func (c Columns) Fit(t *Table) (Columns, error) {
	if err := c.Validate(); err != nil {
		return Columns{}, err
	}
	if _, err := table.Choose(t.Names(), c.Names()); err != nil {
		return Columns{}, t.wrap("Columns.Fit", err)
	}
	c.Classes = slices.Clone(c.Classes)
	for i, class := range c.Classes {
		if class.Names != nil {
			continue
		}
		column, err := t.column(class.Column)
		if err != nil {
			return Columns{}, err
		}
		found := &classes{most: class.Most}
		err = found.add(column, t.origin)
		if err == nil {
			c.Classes[i], err = found.of(class.Column)
		}
		if err != nil {
			return Columns{}, fmt.Errorf("data.Columns.Fit: %w", err)
		}
	}
	return c, nil
}

// classes are the different values of a column.
type classes struct {
	numbers map[int64]bool
	texts   map[string]bool
	most    int // Class.Most
}

// add adds those of a column.
func (s *classes) add(c table.Column, from origin) error {
	if s.numbers == nil {
		s.numbers, s.texts = map[int64]bool{}, map[string]bool{}
	}
	return eachClass(c, from, func(row int, number int64, text string) error {
		if c.Kind() == table.Integer || c.Kind() == table.Float64 || c.Kind() == table.Float32 {
			s.numbers[number] = true
		} else {
			s.texts[text] = true
		}
		switch {
		case s.most > 0 && len(s.numbers)+len(s.texts) > s.most:
			return fmt.Errorf("column %q has more than %d different values, the Most of its Class", c.Name, s.most)
		case s.most == 0 && len(s.numbers) > mostNumbers:
			return fmt.Errorf("column %q has more than %d different numbers: name it in Context if they aren't classes, or allow as many as they are with Class{Column: %q, Most: …}", c.Name, mostNumbers, c.Name)
		case s.most == 0 && len(s.texts) > mostTexts:
			return fmt.Errorf("column %q has more than %d different texts: if they are classes, allow as many as they are with Class{Column: %q, Most: …}", c.Name, mostTexts, c.Name)
		}
		return nil
	})
}

// of is the class of a column with these names.
func (s *classes) of(column string) (Class, error) {
	names := s.sorted()
	like := map[string]string{}
	for _, name := range names {
		bare := strings.ToLower(strings.Join(strings.Fields(name), " "))
		if other, twice := like[bare]; twice {
			return Class{}, fmt.Errorf("column %q has the values %q and %q, which differ by spaces or capitals alone: mend the table if they are one class, or give the Names of the Class if they are two", column, other, name)
		}
		like[bare] = name
	}
	return Class{Column: column, Names: names}, nil
}

// sorted are their names.
func (s *classes) sorted() []string {
	names := []string{}
	numbers := make([]int64, 0, len(s.numbers))
	for n := range s.numbers {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		names = append(names, strconv.FormatInt(n, 10))
	}
	texts := make([]string, 0, len(s.texts))
	for s := range s.texts {
		texts = append(texts, s)
	}
	slices.Sort(texts)
	return append(names, texts...)
}

// eachClass calls f with the classes of a column, by row: a number for those that are
// integers, a text for the others.
func eachClass(c table.Column, from origin, f func(row int, number int64, text string) error) error {
	whole := func(row int, v float64) (int64, error) {
		if n := int64(v); float64(n) == v && v > -1<<53 && v < 1<<53 {
			return n, nil
		}
		return 0, fmt.Errorf("%s, column %q: %v can't be a class: expected integers, texts or booleans", from.at(row), c.Name, v)
	}
	for row := range c.Len() {
		if c.IsMissing(row) {
			return missingError(from, row, c.Name)
		}
		var number int64
		var text string
		var err error
		switch v := c.Values.(type) {
		case []int64:
			number = v[row]
		case []string:
			text = v[row]
		case []bool:
			text = strconv.FormatBool(v[row])
		case []float64:
			number, err = whole(row, v[row])
		case []float32:
			number, err = whole(row, float64(v[row]))
		}
		if err == nil {
			err = f(row, number, text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

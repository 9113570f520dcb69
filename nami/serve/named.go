package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/gomlx/core/tensors"
)

// schema is what the values of events and contexts are, by the names of columns.
type schema struct{ data.Columns }

// check refuses columns that don't fit a model's events and contexts, of so many values.
func (s schema) check(event, context int) error {
	if n := len(s.X); n > 0 && n != event {
		return fmt.Errorf("serve: the Columns' X names %d columns, and an event has %d values", n, event)
	}
	if n := s.ContextSize(); n > 0 && n != context {
		return fmt.Errorf("serve: the Columns make contexts of %d values, and the model's have %d", n, context)
	}
	return nil
}

// knows says whether there are columns of contexts.
func (s schema) knows() bool { return len(s.Context)+len(s.Classes) > 0 }

// columns are the names of a context's columns.
func (s schema) columns() (names []string) {
	names = slices.Clone(s.Context)
	for _, class := range s.Classes {
		names = append(names, class.Column)
	}
	return names
}

// context says what a context is, for errors; empty if it isn't known.
func (s schema) context() string {
	if !s.knows() {
		return ""
	}
	var values, named []string
	for _, name := range s.Context {
		values, named = append(values, name), append(named, fmt.Sprintf("%q: 1.5", name))
	}
	for _, class := range s.Classes {
		for _, name := range class.Names {
			values = append(values, class.Column+"="+name)
		}
		if len(class.Names) > 0 {
			named = append(named, fmt.Sprintf("%q: %q", class.Column, class.Names[0]))
		}
	}
	text := fmt.Sprintf("a context is the numbers [%s]", abridged(values))
	if len(s.Classes) > 0 {
		text += ", 1 for the class and 0 for the others"
	}
	return text + fmt.Sprintf(", or {%s}", abridged(named))
}

// event says what an event is, for errors; empty if it isn't known.
func (s schema) event() string {
	if len(s.X) == 0 {
		return ""
	}
	return fmt.Sprintf("an event is the numbers [%s]", abridged(s.X))
}

// abridged is a list, of which only the first and the last are named if it is long.
func abridged(list []string) string {
	const most = 20
	if n := len(list); n > most {
		list = append(slices.Clone(list[:most-1]), fmt.Sprintf("… (%d in all)", n), list[n-1])
	}
	return strings.Join(list, ", ")
}

// hinted is an error that goes on with a hint; the error itself if that is empty.
func hinted(err error, hint string) error {
	if err == nil || hint == "" {
		return err
	}
	return fmt.Errorf("%w; %s", err, hint)
}

// checkClasses refuses contexts whose classes aren't one-hot.
func (s schema) checkClasses(context *tensors.Tensor) error {
	if context == nil || len(s.Classes) == 0 {
		return nil
	}
	values := make([]float64, context.Size())
	if err := gomlx.EachFloat(context, func(i int, v float64) { values[i] = v }); err != nil {
		return err
	}
	width := s.ContextSize()
	for row := range len(values) / width {
		at := row*width + len(s.Context)
		for _, class := range s.Classes {
			hot := values[at : at+len(class.Names)]
			at += len(class.Names)
			ones, zeros := 0, 0
			for _, v := range hot {
				switch v {
				case 0:
					zeros++
				case 1:
					ones++
				}
			}
			if ones != 1 || ones+zeros != len(hot) {
				return fmt.Errorf("serve: in context %d the values of %q are %v: expected 1 for one of the classes %s, in this order, and 0 for the others", row, class.Column, hot[:min(len(hot), 20)], abridged(class.Names))
			}
		}
	}
	return nil
}

// outside names the column of a value that the model's transform isn't defined at.
func (s schema) outside(err error) error {
	var value *transform.OutsideError
	if !errors.As(err, &value) || value.Place >= len(s.X) {
		return err
	}
	return fmt.Errorf("serve: in event %d of x, %q is %v: %w", value.Row, s.X[value.Place], value.Value, value.Err)
}

// isNamed says whether a context in JSON is an object, or a list of objects.
func isNamed(raw []byte) bool {
	rest := bytes.TrimLeft(raw, " \t\r\n")
	if bytes.HasPrefix(rest, []byte("[")) {
		rest = bytes.TrimLeft(rest[1:], " \t\r\n")
	}
	return bytes.HasPrefix(rest, []byte("{"))
}

// named reads a context whose values are given by their columns' names, or a list of them, at most
// so many, one after the other, as each takes many times its size.
func (s schema) named(raw []byte, most int) (*numbers, error) {
	if !s.knows() {
		return nil, errors.New("context has names, and this server doesn't know any: expected numbers")
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	list := bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("["))
	if list {
		if _, err := decoder.Token(); err != nil {
			return nil, err
		}
	}
	out := &numbers{}
	rows := 0
	for decoder.More() {
		if rows == most {
			return nil, fmt.Errorf("context has more than %d elements, the most events of one request", most)
		}
		var given map[string]any
		if err := decoder.Decode(&given); err != nil {
			return nil, fmt.Errorf("context[%d] isn't an object, as the first is: %s", rows, s.context())
		}
		values, err := s.row(given)
		if err != nil {
			if list {
				return nil, fmt.Errorf("context[%d]: %w", rows, err)
			}
			return nil, fmt.Errorf("context: %w", err)
		}
		out.Values = append(out.Values, values...)
		if rows++; !list {
			break
		}
	}
	if list {
		out.Shape = []int{rows}
	}
	out.Shape = append(out.Shape, s.ContextSize())
	return out, nil
}

// row are the values of a context that is given by names.
func (s schema) row(given map[string]any) ([]float64, error) {
	for name := range given {
		if !slices.Contains(s.columns(), name) {
			return nil, fmt.Errorf("it has %q: expected the columns %s", name, abridged(s.columns()))
		}
	}
	values := make([]float64, 0, s.ContextSize())
	for _, name := range s.Context {
		value, there := given[name]
		number, is := value.(json.Number)
		switch {
		case !there:
			return nil, fmt.Errorf("there is no %q: expected the columns %s", name, abridged(s.columns()))
		case !is:
			return nil, fmt.Errorf("%q is %s: expected a number", name, shown(value))
		}
		v, err := number.Float64()
		if err != nil {
			return nil, fmt.Errorf("%q is %s, which is more than a float64 holds", name, short(number.String()))
		}
		values = append(values, v)
	}
	for _, class := range s.Classes {
		value, there := given[class.Column]
		if !there {
			return nil, fmt.Errorf("there is no %q: expected the columns %s", class.Column, abridged(s.columns()))
		}
		at := -1
		switch v := value.(type) {
		case string:
			at = slices.Index(class.Names, v)
		case json.Number:
			at = slices.Index(class.Names, v.String())
		case bool:
			at = slices.Index(class.Names, strconv.FormatBool(v))
		}
		if at < 0 {
			return nil, fmt.Errorf("%q is %s: expected one of the classes %s", class.Column, shown(value), abridged(class.Names))
		}
		hot := make([]float64, len(class.Names))
		hot[at] = 1
		values = append(values, hot...)
	}
	return values, nil
}

// shown is a value of JSON in an error.
func shown(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("%T", value)
	}
	return short(string(text))
}

// sizes are the numbers of values of an event and of a context.
func (b *Batcher) sizes() (event, context int) {
	if one := b.one(b.example.Context()); one != nil {
		context = shape.Size(one)
	}
	return shape.Size(b.process.EventShape()), context
}

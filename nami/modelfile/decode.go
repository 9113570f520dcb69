package modelfile

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"
)

// decoder makes values of a description that a stranger may have written.
type decoder struct {
	parts int
	most  int64 // the largest size that is believed
}

// leastBound is what a size may be in the shortest file: a number of steps costs no memory worth
// mentioning.
const leastBound = 1 << 20

func decoderOf(length int64) decoder { return decoder{most: max(length, leastBound)} }

// build makes a part of a tree, of a file of that many bytes.
func build[T any](what string, tree any, length int64) (part T, err error) {
	d := decoderOf(length)
	err = d.value(tree, reflect.ValueOf(&part).Elem())
	return part, inside(what, err)
}

// part makes the value of an interface.
func (d *decoder) part(tree any, to reflect.Value) error {
	o, ok := tree.(object)
	if !ok {
		return here(" is %s: expected an object with a type", kindOf(tree))
	}
	name, ok := o.get("type").(string)
	if !ok {
		return here(" has no type: expected the name of one")
	}
	for _, m := range o {
		if m.key != "type" && m.key != "parameters" {
			return unknownKey(m.key, []string{"type", "parameters"})
		}
	}
	t, known := registered.typeOf(name)
	if !known {
		return here(" is a part %q that this program doesn't know: if it is yours or a colleague's, import the package and call modelfile.Register[T](%q) with its type before loading; if it is nami's, a newer nami made the file", short(name), short(name))
	}
	if !t.Implements(to.Type()) {
		return here(" is a %s, which isn't a %s: expected one of %s", name, to.Type(), listOf(registered.fitting(to.Type())))
	}
	if d.parts++; d.parts > mostParts {
		return here(": there are more than %d parts", mostParts)
	}
	part := reflect.New(t).Elem()
	if parameters := o.get("parameters"); parameters != nil {
		if err := d.value(parameters, part); err != nil {
			return err
		}
	} else if t.Kind() == reflect.Pointer {
		part.Set(reflect.New(t.Elem()))
	}
	if err := d.shapes(part.Interface()); err != nil {
		return err
	}
	to.Set(part)
	return nil
}

// value makes a value of a tree.
func (d *decoder) value(tree any, to reflect.Value) error {
	wrong := func(expected string) error {
		return here(" is %s: expected %s", kindOf(tree), expected)
	}
	t := to.Type()
	if tree == nil {
		return nil // what is left out
	}
	if parse, known := texts[t]; known {
		text, ok := tree.(string)
		if !ok {
			return wrong("a text")
		}
		value, err := parse(text)
		if err != nil {
			return here(": %w", err)
		}
		to.Set(reflect.ValueOf(value))
		return nil
	}
	if u, ok := to.Addr().Interface().(encoding.TextUnmarshaler); ok && t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		text, ok := tree.(string)
		if !ok {
			return wrong("a text")
		}
		return within(gomlx.Try(func() error { return u.UnmarshalText([]byte(text)) }))
	}
	if marshals(t) {
		return d.unmarshal(tree, to)
	}
	switch t.Kind() {
	case reflect.Bool:
		v, ok := tree.(bool)
		if !ok {
			return wrong("a boolean")
		}
		to.SetBool(v)
	case reflect.String:
		v, ok := tree.(string)
		if !ok {
			return wrong("a text")
		}
		to.SetString(v)
	case reflect.Slice:
		v, ok := tree.(list)
		if !ok {
			return wrong("a list")
		}
		to.Set(reflect.MakeSlice(t, len(v), len(v)))
		return d.elements(v, to)
	case reflect.Array:
		v, ok := tree.(list)
		if !ok || len(v) != t.Len() {
			return wrong(fmt.Sprintf("a list of %d", t.Len()))
		}
		return d.elements(v, to)
	case reflect.Map:
		v, ok := tree.(object)
		if !ok {
			return wrong("an object")
		}
		return d.mapping(v, to)
	case reflect.Struct:
		v, ok := tree.(object)
		if !ok {
			return wrong("an object")
		}
		return d.fields(v, to)
	case reflect.Interface:
		return d.part(tree, to)
	case reflect.Pointer:
		to.Set(reflect.New(t.Elem()))
		return d.value(tree, to.Elem())
	case reflect.Func:
		return here(" is a function of %s: expected nothing there", t)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return d.number(tree, to)
	default:
		return here(" is a %s, which no file can hold", t)
	}
	return nil
}

// number makes an integer or a float.
func (d *decoder) number(tree any, to reflect.Value) error {
	n, ok := tree.(json.Number)
	if !ok {
		return here(" is %s: expected a number", kindOf(tree))
	}
	text, bits, err := n.String(), to.Type().Bits(), error(nil)
	switch to.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var v int64
		v, err = strconv.ParseInt(text, 10, bits)
		to.SetInt(v)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		var v uint64
		v, err = strconv.ParseUint(text, 10, bits)
		to.SetUint(v)
	default:
		var v float64
		v, err = strconv.ParseFloat(text, bits)
		to.SetFloat(v)
	}
	if err != nil {
		return here(" is %s, which isn't a number that a %s holds", short(text), to.Type())
	}
	if to.Kind() == reflect.Int {
		return d.size(to.Int())
	}
	return nil
}

// size refuses a size that the file's own length doesn't bear out.
func (d *decoder) size(n int64) error {
	if n > d.most || n < -d.most {
		return here(" is %d: nothing in the file bears out a number like that; it is believed up to %d", n, d.most)
	}
	return nil
}

func (d *decoder) elements(from list, to reflect.Value) error {
	for i, tree := range from {
		if err := d.value(tree, to.Index(i)); err != nil {
			return inside(fmt.Sprintf("[%d]", i), err)
		}
	}
	return nil
}

func (d *decoder) mapping(from object, to reflect.Value) error {
	to.Set(reflect.MakeMap(to.Type()))
	for _, m := range from {
		value := reflect.New(to.Type().Elem()).Elem()
		if err := d.value(m.value, value); err != nil {
			return inside(fmt.Sprintf("[%q]", m.key), err)
		}
		to.SetMapIndex(reflect.ValueOf(m.key).Convert(to.Type().Key()), value)
	}
	return nil
}

func (d *decoder) fields(from object, to reflect.Value) error {
	for _, m := range from {
		f, ok := to.Type().FieldByName(m.key)
		if !ok || !f.IsExported() || len(f.Index) != 1 {
			var names []string
			for i := range to.NumField() {
				if f := to.Type().Field(i); f.IsExported() {
					names = append(names, f.Name)
				}
			}
			return unknownKey(m.key, names)
		}
		if err := d.value(m.value, to.FieldByIndex(f.Index)); err != nil {
			return inside("."+m.key, err)
		}
	}
	return nil
}

func unknownKey(key string, known []string) error {
	return here(" has a parameter %q that isn't known: expected %s; perhaps a newer nami made the file", short(key), listOf(known))
}

// unmarshal has a type read what it wrote of itself.
func (d *decoder) unmarshal(tree any, to reflect.Value) error {
	text, err := json.Marshal(tree)
	if err != nil {
		return err
	}
	return within(gomlx.Try(func() error { return json.Unmarshal(text, to.Addr().Interface()) }))
}

// shapes refuses the shapes of a distribution that are larger than the file bears out.
func (d *decoder) shapes(part any) error {
	check := func(what string, dims func() []int) error {
		return gomlx.Try(func() error {
			if _, err := d.product(dims()); err != nil {
				return here(": %s: %w", what, err)
			}
			return nil
		})
	}
	if b, ok := part.(distribution.Base); ok {
		if err := check("the event", b.EventShape); err != nil {
			return err
		}
	}
	if b, ok := part.(distribution.Batched); ok {
		return check("the batch", b.BatchShape)
	}
	return nil
}

// product is the number of values of a shape, if the file bears it out.
func (d *decoder) product(dims []int) (int64, error) {
	size := int64(1)
	for _, n := range dims {
		if n < 1 {
			return 0, fmt.Errorf("it has the shape %s: every axis needs at least 1 value", shape.Format(dims))
		}
		if size > d.most/int64(n) {
			return 0, fmt.Errorf("it has the shape %s: nothing in the file bears out as many values; up to %d are believed", shape.Format(dims), d.most)
		}
		size *= int64(n)
	}
	return size, nil
}

// within is an error of a part's own as one that has a place.
func within(err error) error {
	if err != nil {
		return here(": %w", err)
	}
	return nil
}

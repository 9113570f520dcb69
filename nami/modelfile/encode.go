package modelfile

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/gomlx/ml/layers/activation"
)

// describe is a part as a tree: {"type": name, "parameters": …}. The error begins with the
// place, which begins with what.
func describe(what string, part any) (tree any, err error) {
	e := encoder{}
	err = gomlx.Try(func() error { // what a part of the user's panics with is an error
		tree, err = e.part(reflect.ValueOf(part))
		return err
	})
	return tree, inside(what, err)
}

// mostParts is how many parts a description may have. Several may share weights, so that a file's
// length doesn't bear out what many of them cost.
const mostParts = 256

type encoder struct{ parts, depth int }

// part is a value that is somewhere behind an interface.
func (e *encoder) part(v reflect.Value) (any, error) {
	if !v.IsValid() || (v.Kind() == reflect.Pointer && v.IsNil()) {
		return nil, nil
	}
	name, known := registered.nameOf(v.Type())
	if !known && v.Kind() == reflect.Pointer { // a pointer to a part is as good as the part
		if elem, is := registered.nameOf(v.Type().Elem()); is {
			name, known, v = elem, true, v.Elem()
		}
	}
	switch {
	case !known && v.Kind() == reflect.Func:
		return nil, here(" is a function, which no file can hold: make it a type with that method, and register it by modelfile.Register")
	case !known && hasFunction(v):
		return nil, here(" is a %s, which is made of functions, and no file can hold those: make it a type of your own with the methods, and register it by modelfile.Register", v.Type())
	case !known:
		return nil, here(" is a %s, which is unknown here: register it by modelfile.Register[%s](\"a name that stays\")", v.Type(), v.Type())
	}
	if e.parts++; e.parts > mostParts {
		return nil, here(": there are more than %d parts, which a file can't hold", mostParts)
	}
	parameters, err := e.value(v)
	if err != nil {
		return nil, err
	}
	out := object{{"type", name}}
	if o, empty := parameters.(object); parameters != nil && !(empty && len(o) == 0) {
		out = append(out, member{"parameters", parameters})
	}
	return out, nil
}

// hasFunction is true for a struct with a field that is a function.
func hasFunction(v reflect.Value) bool {
	if v.Kind() != reflect.Struct {
		return false
	}
	for i := range v.NumField() {
		if v.Field(i).Kind() == reflect.Func {
			return true
		}
	}
	return false
}

// value is any value as a tree; nil for one that is left out.
func (e *encoder) value(v reflect.Value) (any, error) {
	e.depth++
	defer func() { e.depth-- }()
	if e.depth > deepest {
		return nil, here(" is nested more than %d levels deep: does it point to itself?", deepest)
	}
	if full, ok := withDefaults(v); ok {
		v = full
	}
	if text, ok, err := textOf(v); ok || err != nil {
		if err != nil {
			return nil, here(": %w", err)
		}
		return text, nil
	}
	if marshals(v.Type()) {
		return e.marshalled(v)
	}
	switch v.Kind() {
	case reflect.Bool:
		return v.Bool(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return json.Number(fmt.Sprint(v.Int())), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return json.Number(fmt.Sprint(v.Uint())), nil
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, here(" is %v: a file holds finite numbers", f)
		}
		text, err := json.Marshal(v.Interface())
		return json.Number(text), err
	case reflect.String:
		return v.String(), nil
	case reflect.Slice, reflect.Array:
		return e.list(v)
	case reflect.Map:
		return e.object(v)
	case reflect.Struct:
		return e.fields(v)
	case reflect.Interface:
		if v.IsNil() {
			return nil, nil
		}
		return e.part(v.Elem())
	case reflect.Pointer:
		if v.IsNil() {
			return nil, nil
		}
		return e.value(v.Elem())
	case reflect.Func:
		if v.IsNil() {
			return nil, nil
		}
		return nil, here(" is a function, which no file can hold: leave it out and set it after loading, or make the part that has it a type of your own with plain fields, and register it by modelfile.Register")
	}
	return nil, here(" is a %s, which no file can hold: expected numbers, texts, booleans, lists, structs and parts", v.Type())
}

func (e *encoder) list(v reflect.Value) (any, error) {
	if v.Kind() == reflect.Slice && v.IsNil() {
		return nil, nil
	}
	out := list{}
	for i := range v.Len() {
		tree, err := e.value(v.Index(i))
		if err != nil {
			return nil, inside(fmt.Sprintf("[%d]", i), err)
		}
		out = append(out, tree)
	}
	return out, nil
}

func (e *encoder) object(v reflect.Value) (any, error) {
	if v.IsNil() {
		return nil, nil
	}
	if v.Type().Key().Kind() != reflect.String {
		return nil, here(" is a %s: the keys of a map must be texts", v.Type())
	}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	out := object{}
	for _, key := range keys {
		tree, err := e.value(v.MapIndex(key))
		if err != nil {
			return nil, inside(fmt.Sprintf("[%q]", key), err)
		}
		out = append(out, member{key.String(), tree})
	}
	return out, nil
}

// fields are a struct's. What is nil is left out.
func (e *encoder) fields(v reflect.Value) (any, error) {
	out := object{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() {
			if !v.Field(i).IsZero() {
				return nil, here(" is a %s, whose field %s isn't exported, so that no file can hold it: export it, or give the type MarshalJSON and UnmarshalJSON", v.Type(), f.Name)
			}
			continue
		}
		tree, err := e.value(v.Field(i))
		if err != nil {
			return nil, inside("."+f.Name, err)
		}
		if tree != nil {
			out = append(out, member{f.Name, tree})
		}
	}
	return out, nil
}

// marshalled is what a type writes of itself.
func (e *encoder) marshalled(v reflect.Value) (any, error) {
	var text []byte
	err := errors.New("it can't be read from here")
	if v.CanInterface() {
		text, err = json.Marshal(v.Interface())
	}
	var tree any
	if err == nil {
		tree, err = parse(text)
	}
	if err != nil {
		return nil, here(", a %s, can't be described: %w", v.Type(), err)
	}
	return tree, nil
}

// withDefaults is a value with its defaults written out, if its type can do it.
func withDefaults(v reflect.Value) (reflect.Value, bool) {
	if v.Kind() == reflect.Interface || !v.CanInterface() {
		return v, false
	}
	method := v.MethodByName("WithDefaults")
	if !method.IsValid() || method.Type().NumIn() != 0 || method.Type().NumOut() != 1 || method.Type().Out(0) != v.Type() {
		return v, false
	}
	return method.Call(nil)[0], true
}

// texts are types of GoMLX's that are written as texts.
var texts = map[reflect.Type]func(text string) (any, error){
	reflect.TypeFor[activation.Type](): func(text string) (any, error) { return activation.TypeString(text) },
}

// textOf is the text of a value whose type is written as one.
func textOf(v reflect.Value) (text string, ok bool, err error) {
	if !v.CanInterface() || v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer {
		return "", false, nil
	}
	if parse, known := texts[v.Type()]; known {
		text = fmt.Sprint(v.Interface())
		_, err := parse(text)
		return text, true, err
	}
	if m, is := v.Interface().(encoding.TextMarshaler); is && reflect.PointerTo(v.Type()).Implements(textUnmarshaler) {
		raw, err := m.MarshalText()
		return string(raw), true, err
	}
	return "", false, nil
}

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

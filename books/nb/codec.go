package nb

import (
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"

	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// A value is kept as one file in which what it consists of follows each other, and beside it a
// checkpoint for each store. A type decides how it is written, so that reading needs no names.

var (
	tensorType    = reflect.TypeFor[*tensors.Tensor]()
	storeType     = reflect.TypeFor[*model.Store]()
	marshaler     = reflect.TypeFor[encoding.BinaryMarshaler]()
	unmarshaler   = reflect.TypeFor[encoding.BinaryUnmarshaler]()
	errTooShort   = errors.New("the value's file is too short")
	littleEndian  = binary.LittleEndian
	largestLength = uint64(math.MaxInt64)
)

// marshals says whether a type has MarshalBinary and UnmarshalBinary.
func marshals(t reflect.Type) bool {
	return t.Implements(marshaler) && reflect.PointerTo(t).Implements(unmarshaler) ||
		t.Kind() == reflect.Pointer && t.Implements(marshaler) && t.Implements(unmarshaler)
}

// keepable is an error that says why values of a type can't be kept, and what to do.
func keepable(t reflect.Type) error { return check(t, "", nil) }

func check(t reflect.Type, where string, outer []reflect.Type) error {
	refuse := func(what string) error {
		if where != "" {
			what = "its " + where + " is " + what
		} else {
			what = "it is " + what
		}
		return fmt.Errorf("%s; keep parts that are data, or give the type MarshalBinary and UnmarshalBinary", what)
	}
	if t == tensorType || t == storeType || marshals(t) {
		return nil
	}
	if slices.Contains(outer, t) {
		return refuse(fmt.Sprintf("of the type %s, which contains itself", t))
	}
	outer = append(outer[:len(outer):len(outer)], t)
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		return nil
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return check(t.Elem(), where, outer)
	case reflect.Map:
		if err := check(t.Key(), where, outer); err != nil {
			return err
		}
		return check(t.Elem(), where, outer)
	case reflect.Struct:
		for i := range t.NumField() {
			field := t.Field(i)
			path := field.Name
			if where != "" {
				path = where + "." + path
			}
			if !field.IsExported() {
				return fmt.Errorf("its field %s of the type %s isn't exported, and would be lost; keep its exported parts, or give the type MarshalBinary and UnmarshalBinary", path, t)
			}
			if err := check(field.Type, path, outer); err != nil {
				return err
			}
		}
		return nil
	}
	return refuse(fmt.Sprintf("of the kind %s, the type %s", t.Kind(), t))
}

// writer collects what a value consists of.
type writer struct {
	dir    string
	stores int
	bytes  []byte
}

// encode writes a value into a folder.
func encode(dir string, v reflect.Value) error {
	w := &writer{dir: dir}
	if err := w.value(v); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, valueFile), w.bytes, 0o600)
}

func (w *writer) length(n int) { w.bytes = littleEndian.AppendUint64(w.bytes, uint64(n)) }

func (w *writer) text(b []byte) {
	w.length(len(b))
	w.bytes = append(w.bytes, b...)
}

// present writes whether something isn't nil.
func (w *writer) present(v reflect.Value) bool {
	if v.IsNil() {
		w.bytes = append(w.bytes, 0)
		return false
	}
	w.bytes = append(w.bytes, 1)
	return true
}

func (w *writer) value(v reflect.Value) error {
	t := v.Type()
	switch {
	case t == tensorType:
		if !w.present(v) {
			return nil
		}
		return w.tensor(v.Interface().(*tensors.Tensor))
	case t == storeType:
		if !w.present(v) {
			return nil
		}
		if w.dir == "" {
			return errors.New("it has a model's store: give what tells its weights, such as the steps of training")
		}
		w.stores++
		return train.Save(v.Interface().(*model.Store), w.store(w.stores))
	case marshals(t):
		if t.Kind() == reflect.Pointer && !w.present(v) {
			return nil
		}
		text, err := v.Interface().(encoding.BinaryMarshaler).MarshalBinary()
		w.text(text)
		return err
	}
	switch t.Kind() {
	case reflect.String:
		w.text([]byte(v.String()))
		return nil
	case reflect.Int:
		w.bytes = littleEndian.AppendUint64(w.bytes, uint64(v.Int()))
		return nil
	case reflect.Uint:
		w.bytes = littleEndian.AppendUint64(w.bytes, v.Uint())
		return nil
	case reflect.Pointer:
		if !w.present(v) {
			return nil
		}
		return w.value(v.Elem())
	case reflect.Slice:
		if !w.present(v) {
			return nil
		}
		w.length(v.Len())
		return w.elements(v)
	case reflect.Array:
		return w.elements(v)
	case reflect.Map:
		if !w.present(v) {
			return nil
		}
		return w.pairs(v)
	case reflect.Struct:
		for i := range v.NumField() {
			if err := w.value(v.Field(i)); err != nil {
				return err
			}
		}
		return nil
	}
	return w.fixed(v.Interface())
}

// pairs writes a map, in the order of its keys as they are written, so that equal maps are
// written alike.
func (w *writer) pairs(v reflect.Value) error {
	w.length(v.Len())
	type pair struct{ key, value []byte }
	var pairs []pair
	rest := w.bytes
	for _, key := range v.MapKeys() {
		var p pair
		for _, part := range []struct {
			to *[]byte
			v  reflect.Value
		}{{&p.key, key}, {&p.value, v.MapIndex(key)}} {
			w.bytes = nil
			if err := w.value(part.v); err != nil {
				return err
			}
			*part.to = w.bytes
		}
		pairs = append(pairs, p)
	}
	slices.SortFunc(pairs, func(a, b pair) int { return slices.Compare(a.key, b.key) })
	w.bytes = rest
	for _, p := range pairs {
		w.bytes = append(append(w.bytes, p.key...), p.value...)
	}
	return nil
}

// plain says whether values of a type are written as they are in memory.
func plain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint8, reflect.Uint16, reflect.Uint32,
		reflect.Uint64, reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		return !marshals(t)
	}
	return false
}

func (w *writer) elements(v reflect.Value) error {
	if t := v.Type().Elem(); plain(t) && v.Kind() == reflect.Slice {
		return w.fixed(v.Interface())
	}
	for i := range v.Len() {
		if err := w.value(v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) fixed(value any) (err error) {
	w.bytes, err = binary.Append(w.bytes, littleEndian, value)
	return err
}

func (w *writer) tensor(t *tensors.Tensor) error {
	shape := t.Shape()
	w.length(int(shape.DType))
	w.length(shape.Rank())
	for _, n := range shape.Dimensions {
		w.length(n)
	}
	return t.ConstBytes(w.text)
}

// store is the checkpoint of the n-th store.
func (w *writer) store(n int) string { return filepath.Join(w.dir, "store-"+strconv.Itoa(n)) }

// reader reads what a writer wrote.
type reader struct {
	dir    string
	stores int
	rest   []byte
}

// decode reads a value of a type from a folder.
func decode(dir string, t reflect.Type) (v reflect.Value, err error) {
	text, end, err := mapped(filepath.Join(dir, valueFile))
	if err != nil {
		return v, err
	}
	r := &reader{dir: dir, rest: text}
	v = reflect.New(t).Elem()
	err = r.value(v)
	if err == nil && len(r.rest) > 0 {
		err = fmt.Errorf("the value's file has %d bytes too many", len(r.rest))
	}
	return v, errors.Join(err, end())
}

func (r *reader) take(n uint64) ([]byte, error) {
	if n > uint64(len(r.rest)) {
		return nil, errTooShort
	}
	text := r.rest[:n]
	r.rest = r.rest[n:]
	return text, nil
}

func (r *reader) length() (int, error) {
	text, err := r.take(8)
	if err != nil {
		return 0, err
	}
	n := littleEndian.Uint64(text)
	if n > largestLength {
		return 0, errTooShort
	}
	return int(n), nil
}

func (r *reader) text() ([]byte, error) {
	n, err := r.length()
	if err != nil {
		return nil, err
	}
	return r.take(uint64(n))
}

func (r *reader) present() (bool, error) {
	text, err := r.take(1)
	return err == nil && text[0] == 1, err
}

func (r *reader) value(v reflect.Value) error {
	t := v.Type()
	if t == tensorType || t == storeType || t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		if !marshals(t) || t.Kind() == reflect.Pointer {
			if ok, err := r.present(); !ok {
				return err
			}
		}
	}
	switch {
	case t == tensorType:
		value, err := r.tensor()
		v.Set(reflect.ValueOf(value))
		return err
	case t == storeType:
		r.stores++
		store := model.NewStore()
		_, err := train.Load(store, (&writer{dir: r.dir}).store(r.stores))
		v.Set(reflect.ValueOf(store))
		return err
	case marshals(t):
		text, err := r.text()
		if err != nil {
			return err
		}
		into := v.Addr()
		if t.Kind() == reflect.Pointer {
			v.Set(reflect.New(t.Elem()))
			into = v
		}
		return into.Interface().(encoding.BinaryUnmarshaler).UnmarshalBinary(slices.Clone(text))
	}
	switch t.Kind() {
	case reflect.String:
		text, err := r.text()
		v.SetString(string(text))
		return err
	case reflect.Int, reflect.Uint:
		text, err := r.take(8)
		if err != nil {
			return err
		}
		if n := littleEndian.Uint64(text); t.Kind() == reflect.Int {
			v.SetInt(int64(n))
		} else {
			v.SetUint(n)
		}
		return nil
	case reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		return r.value(v.Elem())
	case reflect.Slice:
		n, err := r.length()
		if err != nil {
			return err
		}
		if size := uint64(t.Elem().Size()); plain(t.Elem()) && uint64(n) > uint64(len(r.rest))/max(size, 1) {
			return errTooShort
		}
		v.Set(reflect.MakeSlice(t, n, n))
		return r.elements(v)
	case reflect.Array:
		return r.elements(v)
	case reflect.Map:
		n, err := r.length()
		if err != nil {
			return err
		}
		v.Set(reflect.MakeMap(t))
		for range n {
			key, value := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
			if err := errors.Join(r.value(key), r.value(value)); err != nil {
				return err
			}
			v.SetMapIndex(key, value)
		}
		return nil
	case reflect.Struct:
		for i := range v.NumField() {
			if err := r.value(v.Field(i)); err != nil {
				return err
			}
		}
		return nil
	}
	return r.fixed(v.Addr().Interface(), v)
}

func (r *reader) elements(v reflect.Value) error {
	if plain(v.Type().Elem()) && v.Kind() == reflect.Slice {
		return r.fixed(v.Interface(), v)
	}
	for i := range v.Len() {
		if err := r.value(v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) fixed(into any, v reflect.Value) error {
	text, err := r.take(uint64(binary.Size(v.Interface())))
	if err != nil {
		return err
	}
	_, err = binary.Decode(text, littleEndian, into)
	return err
}

func (r *reader) tensor() (*tensors.Tensor, error) {
	kind, err := r.length()
	if err != nil {
		return nil, err
	}
	rank, err := r.length()
	if err != nil || rank > len(r.rest)/8 {
		return nil, errors.Join(errTooShort, err)
	}
	dims := make([]int, rank)
	for i := range dims {
		if dims[i], err = r.length(); err != nil {
			return nil, err
		}
	}
	text, err := r.text()
	if err != nil {
		return nil, err
	}
	t := tensors.FromShape(shapes.Make(dtypes.DType(kind), dims...))
	err = t.MutableBytes(func(data []byte) {
		if len(data) == len(text) {
			copy(data, text)
		} else {
			err = fmt.Errorf("a tensor of %s has %d bytes, and %d were kept", t.Shape(), len(data), len(text))
		}
	})
	return t, err
}

// hashValue is a hash of what a value is.
func hashValue(value any) (string, error) {
	v := reflect.ValueOf(value)
	if !v.IsValid() {
		return "nil", nil
	}
	if err := keepable(v.Type()); err != nil {
		return "", err
	}
	w := &writer{}
	if err := w.value(v); err != nil {
		return "", err
	}
	return hash(v.Type().String(), string(w.bytes)), nil
}

package modelfile

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// registry knows the types that parts may have, by name.
type registry struct {
	sync.RWMutex
	types map[string]reflect.Type
	names map[reflect.Type]string
}

var registered = newRegistry(ours)

func newRegistry(values map[string]any) *registry {
	r := &registry{types: map[string]reflect.Type{}, names: map[reflect.Type]string{}}
	for name, value := range values {
		if err := r.add(name, reflect.TypeOf(value)); err != nil {
			panic(err)
		}
	}
	return r
}

// Register makes T known by a name, so that files can hold parts of that type: a field, a path,
// a schedule, a distribution, a transform, a solver's method or grid, or a whole model of your
// own. Call it before saving and before loading, at the start of the program in most cases.
//
//	modelfile.Register[ResNet]("lab.example/ResNet")
//
// If T's methods have pointer receivers, register *T. A name must not change once files hold it: it says more than that of the Go type, which may
// move. Letters, digits, dots, slashes, - and _ may be in it; those that begin as nami's own,
// such as "field.", are better left to nami.
//
// T's exported fields are its parameters: numbers, texts, booleans, lists, maps with texts as
// keys, structs and parts; a nil part or list is left out. An int is taken for a size, and a file
// can't hold one that is much larger than itself: use int64 for seeds. A method WithDefaults() T,
// if there is one, writes the defaults out first, so that a later change of them doesn't change
// the model. A type that keeps something in fields that aren't exported needs MarshalJSON and
// UnmarshalJSON (see [encoding/json]), and may panic or allocate in neither, whatever it is given.
//
// It panics if the name or the type is registered already with another one, as that is a
// mistake in the program.
func Register[T any](name string) {
	if err := registered.add(name, reflect.TypeFor[T]()); err != nil {
		panic(err)
	}
}

var partName = regexp.MustCompile(`^[A-Za-z0-9_./-]{1,200}$`)

func (r *registry) add(name string, t reflect.Type) error {
	switch {
	case !partName.MatchString(name):
		return fmt.Errorf("modelfile.Register: the name %q: expected letters, digits, dots, slashes, - and _", short(name))
	case t == nil || t.Kind() == reflect.Interface:
		return fmt.Errorf("modelfile.Register: %q is to be an interface: register the types that implement it", name)
	case t.Kind() == reflect.Func || t.Kind() == reflect.Chan:
		return fmt.Errorf("modelfile.Register: %q is to be a %s, which no file can hold: register a struct with the method", name, t)
	}
	r.Lock()
	defer r.Unlock()
	if other, taken := r.types[name]; taken && other != t {
		return fmt.Errorf("modelfile.Register: the name %q is that of %s already: choose another one for %s", name, other, t)
	}
	if other, taken := r.names[t]; taken && other != name {
		return fmt.Errorf("modelfile.Register: %s is registered as %q already: files know it by that name", t, other)
	}
	r.types[name], r.names[t] = t, name
	return nil
}

func (r *registry) typeOf(name string) (reflect.Type, bool) {
	r.RLock()
	defer r.RUnlock()
	t, ok := r.types[name]
	return t, ok
}

func (r *registry) nameOf(t reflect.Type) (string, bool) {
	r.RLock()
	defer r.RUnlock()
	name, ok := r.names[t]
	return name, ok
}

// fitting are the names of the registered types that implement an interface.
func (r *registry) fitting(want reflect.Type) []string {
	r.RLock()
	defer r.RUnlock()
	var names []string
	for name, t := range r.types {
		if t.Implements(want) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

var (
	jsonMarshaler   = reflect.TypeFor[json.Marshaler]()
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
)

// marshals is true for a type that writes and reads itself.
func marshals(t reflect.Type) bool {
	return t.Implements(jsonMarshaler) && (reflect.PointerTo(t).Implements(jsonUnmarshaler) || t.Implements(jsonUnmarshaler))
}

func listOf(names []string) string { return strings.Join(names, ", ") }

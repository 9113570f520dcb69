package field

import "errors"

// Validate reports what is wrong with a field's configuration. It calls the field's own
// method Validate() error if there is one, as fields that wrap others have and yours may; a nil
// field is an error.
func Validate(f Field) error {
	if f == nil {
		return errors.New("field: the field is nil: give a network, for example field.MLP{EventShape: []int{2}}")
	}
	if v, ok := f.(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

// must panics with an error of a configuration, as graph functions do.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

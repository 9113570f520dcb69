package train

import "fmt"

// guard runs code of the user's, of which what is its name in errors; a panic is an error.
func guard(what string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s panicked: %v", what, p)
		}
	}()
	return f()
}

//go:build !unix

package nb

import "os"

// mapped is a file's content, read where it can't be mapped.
func mapped(path string) (text []byte, end func() error, err error) {
	text, err = os.ReadFile(path)
	return text, func() error { return nil }, err
}

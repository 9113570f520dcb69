//go:build unix

package nb

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapped is a file's content, mapped into memory until end is called.
func mapped(path string) (text []byte, end func() error, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = file.Close() }() // only read
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return nil, func() error { return nil }, err
	}
	text, err = unix.Mmap(int(file.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	return text, func() error { return unix.Munmap(text) }, err
}

//go:build !linux

package notebook

// watch sees which files are read, on Linux alone.
type watch struct{}

func newWatch(string, ...string) (*watch, string, error) { return &watch{}, "", nil }

func (*watch) end() (read map[string]bool, ok bool) { return nil, true }

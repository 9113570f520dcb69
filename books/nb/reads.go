package nb

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"github.com/nami-flow/go-nami/internal/reads"
)

// Reads says that the cell reads files, so that what depends on them is made anew when one
// changes: values of [Keep] whose function says so, and the whole notebook for `kernel run`,
// which doesn't execute an unchanged one again. It opens nothing, and a file needn't exist.
//
//	path := filepath.Join(os.Getenv("DATA"), "events.parquet")
//	nb.Reads(path)
//
// A path that stands in the code as a string needn't be said, nor, to `kernel run`, a file that
// nami/data reads, and on Linux one in the notebook's folder or below.
func Reads(paths ...string) {
	for _, path := range paths {
		absolute, err := filepath.Abs(path)
		Check(err)
		read.add(absolute)
		Check(reads.Report(absolute))
	}
}

// read are the files that were read since a value began to be made.
var read reading

type reading struct {
	mu    sync.Mutex
	files map[string]string
}

func (r *reading) add(path string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.files != nil {
		r.files[path] = stateOf(path)
	}
}

// begin begins a list, and returns the one that it is part of.
func (r *reading) begin() (outer map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	outer, r.files = r.files, map[string]string{}
	return outer
}

// end ends a list, and goes on with the one that it is part of.
func (r *reading) end(outer map[string]string) (files map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	files, r.files = r.files, outer
	if outer != nil {
		maps.Copy(outer, files)
	}
	return files
}

// stateOf tells a file from one with another content: by size and time.
func stateOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "not there"
	}
	return fmt.Sprint(info.Size(), " ", info.ModTime().UnixNano())
}

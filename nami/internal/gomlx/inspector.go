package gomlx

import (
	"sync"

	"github.com/gomlx/compute"
)

// Observer is told what the nodes of a graph don't keep, in the order in which the nodes
// are made: they have the values of small constants only, and of a sort not even the axis.
type Observer interface {
	Constant(flat any, dims []int)
	Sort(axis int, stable bool)
}

// Inspector is a pure Go backend to look at graphs with, which are built and not run: the
// same code makes the same nodes on it in every process, whatever the program computes with.
func Inspector(observer Observer) (compute.Backend, error) {
	backend, err := inspected()
	if err != nil {
		return nil, err
	}
	return &goBackend{Backend: backend.(*goBackend).Backend, observer: observer}, nil
}

// PureGo is GoMLX's pure Go backend, the same one each time, for small graphs beside what a
// program computes.
func PureGo() (compute.Backend, error) { return inspected() }

var inspected = sync.OnceValues(func() (compute.Backend, error) { return Open("go") })

func (f goFunction) Constant(flat any, dims ...int) (compute.Value, error) {
	if observer := f.builder.backend.observer; observer != nil {
		observer.Constant(flat, dims)
	}
	return f.Function.Constant(flat, dims...)
}

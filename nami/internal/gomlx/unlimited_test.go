package gomlx_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Many matrix products that don't wait for each other, as the derivatives of an exact
// divergence are, come to an end: with the Go backend's own number of workers they hang.
func TestManyProductsAtOnce(t *testing.T) {
	backend, err := gomlx.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	exec, err := NewExec(backend, func(x, w *Node) *Node {
		sum := ScalarZero(x.Graph(), x.DType())
		for i := range 2*runtime.GOMAXPROCS(0) + 8 {
			sum = Add(sum, ReduceAllSum(Dot(AddScalar(x, float64(i)), w).Product()))
		}
		return sum
	})
	if err != nil {
		t.Fatal(err)
	}
	x := tensors.FromFlatDataAndDimensions(make([]float32, 256*128), 256, 128)
	w := tensors.FromFlatDataAndDimensions(make([]float32, 128*128), 128, 128)
	done := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < 5 && err == nil; i++ {
			_, err = exec.Call(x, w)
		}
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the program hangs: all workers wait for one another")
	}
}

package path_test

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
)

// Quadratic is a path of your own: it leaves the data slowly,
// x_t = (1-t²)·target + t²·source.
type Quadratic struct{}

// Point returns x_t. Lift lets one time for each event stand beside events of any shape.
func (Quadratic) Point(target, source, t *Node) *Node {
	weight := Square(shape.Lift(t, target))
	return Add(Mul(OneMinus(weight), target), Mul(weight, source))
}

// Velocity returns dx_t/dt.
func (Quadratic) Velocity(target, source, t *Node) *Node {
	return Mul(MulScalar(shape.Lift(t, target), 2), Sub(source, target))
}

// A path of your own needs two methods. Check tells in a test whether they agree; then
// it trains as ours do: loss.FM{Field: velocity, Path: Quadratic{}}.
func ExampleCheck() {
	backend, err := nami.OpenBackend("go")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(path.Check(backend, Quadratic{}))
	// Output: <nil>
}

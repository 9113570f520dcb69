package schedule_test

import (
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
)

// OrnsteinUhlenbeck is a schedule of your own: dx = -k·x dt + √(2k) dw forgets the data
// at a constant rate k, so that α = exp(-k·t) and σ² = 1 - exp(-2k·t).
type OrnsteinUhlenbeck struct{ K float64 }

func (s OrnsteinUhlenbeck) Alpha(t *Node) *Node { return Exp(MulScalar(t, -s.K)) }

func (s OrnsteinUhlenbeck) Sigma(t *Node) *Node { return Sqrt(OneMinus(Square(s.Alpha(t)))) }

// Lift lets one time for each event stand beside events of any shape.
func (s OrnsteinUhlenbeck) Drift(x, t *Node) *Node {
	return Mul(x, shape.Lift(MulScalar(OnesLike(t), -s.K), x))
}

func (s OrnsteinUhlenbeck) Diffusion(t *Node) *Node {
	return MulScalar(OnesLike(t), math.Sqrt(2*s.K))
}

// backwards has the sign of its drift wrong.
type backwards struct{ OrnsteinUhlenbeck }

func (s backwards) Drift(x, t *Node) *Node { return Neg(s.OrnsteinUhlenbeck.Drift(x, t)) }

// A schedule of your own needs four methods. Check tells in a test whether they agree.
func ExampleCheck() {
	backend, err := nami.OpenBackend("go")
	if err != nil {
		fmt.Println(err)
		return
	}
	own := OrnsteinUhlenbeck{K: 5}
	fmt.Println(schedule.Check(backend, own))
	fmt.Println(schedule.Check(backend, backwards{own}) != nil)
	// Output:
	// <nil>
	// true
}

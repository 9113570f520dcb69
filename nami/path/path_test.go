package path_test

import (
	"fmt"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/tests/property"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"
)

// quadratic is an Affine with the numbers α = 1-t², σ = t².
var quadratic = path.Affine{
	Alpha:    func(t *Node) *Node { return OneMinus(Square(t)) },
	Sigma:    Square,
	AlphaDot: func(t *Node) *Node { return MulScalar(t, -2) },
	SigmaDot: func(t *Node) *Node { return MulScalar(t, 2) },
}

var all = []path.Path{
	path.Linear{},
	path.Cosine{},
	quadratic,
	path.Scheduled{Schedule: schedule.VP{}},
	path.Scheduled{Schedule: schedule.VE{}},
	path.Scheduled{Schedule: schedule.EDM{}},
	path.Scheduled{Schedule: schedule.Linear{}},
}

func TestCheckAcceptsOurs(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, p := range all {
			if err := path.Check(backend, p); err != nil {
				t.Error(err)
			}
		}
	})
}

// The plain paths begin at the data itself and end at the noise itself, and the path of
// a schedule that has the same α and σ is the same.
func TestEnds(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
			out, err := CallOnceN(backend, func(target, source *Node) (out []*Node) {
				target, source = ConvertDType(target, dtype), ConvertDType(source, dtype)
				at := func(v float64) *Node { return ConstAs(target, v) }
				for _, p := range []path.Path{path.Linear{}, path.Cosine{}, quadratic} {
					out = append(out, p.Point(target, source, at(0)), target, p.Point(target, source, at(1)), source)
				}
				same := path.Scheduled{Schedule: schedule.Linear{}}
				return append(out, same.Point(target, source, at(0.3)), path.Linear{}.Point(target, source, at(0.3)),
					same.Velocity(target, source, at(0.3)), path.Linear{}.Velocity(target, source, at(0.3)))
			}, []float64{1, -2, 3}, []float64{0.5, 0.25, -8})
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(out); i += 2 {
				if !out[i].Equal(out[i+1]) {
					t.Errorf("%s: pair %d is %v, expected %v", dtype, i/2, out[i], out[i+1])
				}
			}
		}
	})
}

// Shapes of any lead and event go in and come out, with a scalar time and one for each
// event; a time for some axes of the lead is no more than that to a path, but any other
// is an error.
func TestShapes(t *testing.T) {
	backend := gomlxtest.Go(t)
	property.Check(t, func(t *rapid.T) {
		lead := rapid.SliceOfN(rapid.IntRange(1, 4), 0, 3).Draw(t, "lead")
		event := rapid.SliceOfN(rapid.IntRange(1, 4), 0, 3).Draw(t, "event")
		p := rapid.SampledFrom(all).Draw(t, "path")
		g := NewGraph(backend, "shapes")
		defer g.Finalize()
		node := func(dims ...int) *Node {
			return Parameter(g, fmt.Sprint(g.NumParameters()), shapes.Make(dtypes.Float32, dims...))
		}
		dims := append(append([]int{}, lead...), event...)
		target, source := node(dims...), node(dims...)
		for _, at := range []*Node{node(), node(lead...)} {
			for _, got := range []*Node{p.Point(target, source, at), p.Velocity(target, source, at)} {
				if !got.Shape().Equal(target.Shape()) {
					t.Fatalf("%v: the result is %s for %s", p, got.Shape(), target.Shape())
				}
			}
		}
		if len(lead) > 0 {
			wrong := append([]int{}, lead...)
			wrong[0]++
			if err := gomlx.Try(func() error { p.Velocity(target, source, node(wrong...)); return nil }); err == nil {
				t.Fatalf("%v: t of shape %v is accepted for %s", p, wrong, target.Shape())
			}
		}
	})
}

func TestMisuse(t *testing.T) {
	backend := gomlxtest.Go(t)
	for _, p := range all {
		for want, c := range map[string][3][]int{
			"the target (data) is (Float32)[4, 2], the source (noise) (Float32)[2]":       {{4, 2}, {2}, {}},
			"the target (data) is (Float32)[4, 2], the source (noise) (Float32)[3, 4, 2]": {{4, 2}, {3, 4, 2}, {}},
			"t is (Float32)[4, 1], x is (Float32)[4, 2]: axis 1":                          {{4, 2}, {4, 2}, {4, 1}},
			"t is (Float32)[3], x is (Float32)[4, 3]: axis 0":                             {{4, 3}, {4, 3}, {3}},
		} {
			for _, f := range []func(target, source, t *Node) *Node{p.Point, p.Velocity} {
				_, err := CallOnce(backend, f, zeros(c[0]), zeros(c[1]), zeros(c[2]))
				gomlxtest.Says(t, fmt.Sprint(p), err, want)
			}
		}
	}
	for want, p := range map[string]path.Path{
		"Alpha, Sigma, AlphaDot and SigmaDot must all be given": path.Affine{Alpha: quadratic.Alpha, AlphaDot: quadratic.AlphaDot},
		"the schedule is nil":        path.Scheduled{},
		"BetaMin is 1 and BetaMax 0": path.Scheduled{Schedule: schedule.VP{BetaMin: 1}},
	} {
		_, err := CallOnce(backend, p.Velocity, zeros([]int{2}), zeros([]int{2}), zeros(nil))
		gomlxtest.Says(t, want, err, want)
	}
}

func zeros(dims []int) *tensors.Tensor { return tensors.FromScalarAndDimensions(float32(0), dims...) }

// own is a path of two functions.
type own struct {
	point, velocity func(target, source, t *Node) *Node
}

func (p own) Point(target, source, t *Node) *Node    { return p.point(target, source, t) }
func (p own) Velocity(target, source, t *Node) *Node { return p.velocity(target, source, t) }

// Whatever breaks a rule is found, and told.
func TestCheckRejects(t *testing.T) {
	var l path.Linear
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for want, p := range map[string]path.Path{
			"it must be close to the target, as time runs from data": own{
				func(target, source, t *Node) *Node { return l.Point(source, target, t) },
				func(target, source, t *Node) *Node { return l.Velocity(source, target, t) },
			},
			"it must follow the source, as time runs from data": own{
				func(target, _, _ *Node) *Node { return target },
				func(target, _, _ *Node) *Node { return ZerosLike(target) },
			},
			"it must be the derivative of Point": own{l.Point, func(target, source, t *Node) *Node { return l.Velocity(source, target, t) }},
			"t belongs to the lead axes": own{func(target, source, t *Node) *Node {
				if t.Rank() == 1 && target.Rank() == 2 && target.Shape().Dim(0) == target.Shape().Dim(1) {
					t = ExpandLeftToRank(t, 2) // on the event's axis
					return Add(Mul(OneMinus(t), target), Mul(t, source))
				}
				return l.Point(target, source, t)
			}, l.Velocity},
			"Point(target, source, t) returned (Float32)[5] for the target of (Float32): it must": own{
				func(target, _, _ *Node) *Node { return BroadcastToDims(ReduceAllSum(target), 5) }, l.Velocity,
			},
			"Velocity(target, source, t) returned (Float64) for the target of (Float32)": own{
				l.Point, func(target, _, _ *Node) *Node { return ConvertDType(target, dtypes.Float64) },
			},
			"Inf at t=0": own{
				func(target, source, t *Node) *Node { return l.Point(target, source, Sqrt(t)) },
				func(target, source, t *Node) *Node {
					return Mul(l.Velocity(target, source, Sqrt(t)), Div(ConstAs(t, 0.5), Sqrt(lift(t, target))))
				},
			},
			"the path is nil": nil,
		} {
			err := path.Check(backend, p)
			gomlxtest.Says(t, "path.Check", err, want)
		}
	})
}

func lift(t, x *Node) *Node {
	for !t.IsScalar() && t.Rank() < x.Rank() {
		t = InsertAxes(t, -1)
	}
	return t
}

func TestStrings(t *testing.T) {
	got := fmt.Sprint(path.Linear{}, " ", path.Cosine{}, " ", path.Scheduled{Schedule: schedule.VP{}})
	if want := "Linear Cosine Scheduled{VP{0.1, 20}}"; got != want {
		t.Errorf("got %s, expected %s", got, want)
	}
}

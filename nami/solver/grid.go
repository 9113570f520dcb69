package solver

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/schedule"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Grid places the steps of a solve. A user's own type is a Grid as soon as it has this
// method.
type Grid interface {
	// Nodes returns the n+1 times of a solve in n steps, from and to included, which rise
	// or fall strictly. clock tells noise levels.
	Nodes(n int, from, to float64, clock Clock) ([]float64, error)
}

// Clock tells a [Grid] what a system's schedule says of time. The zero Clock is that of a
// system without one.
type Clock struct {
	backend compute.Backend
	model   *Model
}

// Data is the time below which there is no noise to speak of: a solve to the data at 0
// makes its last step from there. It is 0 for a system without a schedule.
func (c Clock) Data() float64 {
	if c.model == nil {
		return 0
	}
	return c.model.Data
}

// Ratios are σ/α at the times; infinite where α is 0. It is an error if the system has no
// schedule.
func (c Clock) Ratios(times []float64) ([]float64, error) {
	out, err := c.ask(func(in []*Node) []*Node {
		return []*Node{c.model.Schedule.Alpha(in[0]), c.model.Schedule.Sigma(in[0])}
	}, times)
	if err != nil {
		return nil, err
	}
	ratios := make([]float64, len(times))
	for i := range ratios {
		ratios[i] = out[1][i] / out[0][i]
	}
	return ratios, nil
}

// Times are where σ/α has the given values, 0 or 1 where it never has. It is an error if
// the system has no schedule.
func (c Clock) Times(ratios []float64) ([]float64, error) {
	out, err := c.ask(func(in []*Node) []*Node {
		return []*Node{schedule.TimeOf(c.model.Schedule, OnesLike(in[0]), in[0])}
	}, ratios)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

func (c Clock) ask(f func(in []*Node) []*Node, values []float64) (out [][]float64, err error) {
	if c.model == nil {
		return nil, errors.New("it places steps by noise levels, and the system has no schedule: use it for a Diffusion, or a FlowMatching whose Path is given")
	}
	err = gomlx.Try(func() error {
		exec, err := NewExec(c.backend, f)
		if err != nil {
			return err
		}
		defer exec.Finalize()
		values, err := exec.Call(values)
		for _, t := range values {
			out = append(out, tensors.MustCopyFlatData[float64](t))
			t.MustFinalizeAll()
		}
		return err
	})
	return out, err
}

// Even is the grid of steps of equal length in time.
type Even struct{}

// Nodes implements [Grid].
func (Even) Nodes(n int, from, to float64, _ Clock) ([]float64, error) {
	return between(n, func(f float64) float64 { return from + (to-from)*f }, from, to), nil
}

// String names the grid.
func (Even) String() string { return "Even" }

// between are n+1 numbers from f(0) to f(1), with the ends as given.
func between(n int, f func(fraction float64) float64, from, to float64) []float64 {
	nodes := make([]float64, n+1)
	for i := range nodes {
		nodes[i] = f(float64(i) / float64(n))
	}
	nodes[0], nodes[n] = from, to
	return nodes
}

// Power is the grid of even steps of t^(1/P): the larger P is, the shorter they are near the
// data. Steps to a model's data at time 0 are even down to [Clock.Data], from which the last
// one goes.
type Power struct {
	// P is the power, positive; 2 if 0.
	P float64
}

// WithDefaults returns the grid with the usual power where it is 0.
func (g Power) WithDefaults() Power { return Power{orUsual(g.P, 2)} }

// Validate reports a power that is out of range.
func (g Power) Validate() error { return checkExponent("Power", "P", g.P) }

func checkExponent(name, field string, v float64) error {
	if !(v >= 0) || math.IsInf(v, 0) {
		return fmt.Errorf("solver.%s: %s is %v: it must be positive and finite, or 0 for the usual one", name, field, v)
	}
	return nil
}

// Nodes implements [Grid].
func (g Power) Nodes(n int, from, to float64, clock Clock) ([]float64, error) {
	p := g.WithDefaults().P
	if min(from, to) < 0 {
		return nil, fmt.Errorf("a power of time has no meaning below 0: the solve goes from %v to %v", from, to)
	}
	return toData(n, from, to, clock.Data(), func(n int, noise, data float64) ([]float64, error) {
		a, b := math.Pow(noise, 1/p), math.Pow(data, 1/p)
		return between(n, func(f float64) float64 { return math.Pow(a+(b-a)*f, p) }, noise, data), nil
	})
}

// String describes the grid.
func (g Power) String() string { return fmt.Sprintf("Power{%v}", g.WithDefaults().P) }

// Shifted is the grid of even steps of t that are shifted to the noise,
//
//	t' = S·t/(1 + (S-1)·t),
//
// for flows of many values, such as large images, whose signal drowns later (Esser et al. 2024,
// arXiv:2403.03206, eq. 23). The last step goes to 0 from S/(n+S-1).
type Shifted struct {
	// S is the shift, positive; 3 if 0. Less than 1 shifts to the data.
	S float64
}

// WithDefaults returns the grid with the usual shift where it is 0.
func (g Shifted) WithDefaults() Shifted { return Shifted{orUsual(g.S, 3)} }

// Validate reports a shift that is out of range.
func (g Shifted) Validate() error { return checkExponent("Shifted", "S", g.S) }

// Nodes implements [Grid].
func (g Shifted) Nodes(n int, from, to float64, _ Clock) ([]float64, error) {
	s := g.WithDefaults().S
	return overUnit(n, from, to,
		func(t float64) float64 { return s * t / (1 + (s-1)*t) },
		func(t float64) float64 { return t / (s - (s-1)*t) })
}

// String describes the grid.
func (g Shifted) String() string { return fmt.Sprintf("Shifted{%v}", g.WithDefaults().S) }

// Logit is the grid of times that are logistic functions of even steps from -K to K, stretched
// to end at 0 and 1: the larger K is, the shorter are the steps at both ends. For the path of
// [schedule.Linear], whose log-SNR is -2·log(t/(1-t)), they are nearly even in it.
type Logit struct {
	// K says how far the steps go, positive; 3 if 0, where the shortest steps are a fifth of
	// the longest.
	K float64
}

// WithDefaults returns the grid with the usual range where it is 0.
func (g Logit) WithDefaults() Logit { return Logit{orUsual(g.K, 3)} }

// Validate reports a range that is out of range.
func (g Logit) Validate() error {
	if err := checkExponent("Logit", "K", g.K); err != nil {
		return err
	}
	if g.K > 30 {
		return fmt.Errorf("solver.Logit: K is %v: it must be at most 30, beyond which times near 1 are no longer distinct", g.K)
	}
	return nil
}

// Nodes implements [Grid].
func (g Logit) Nodes(n int, from, to float64, _ Clock) ([]float64, error) {
	k := g.WithDefaults().K
	logistic := func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
	low, high := logistic(-k), logistic(k)
	return overUnit(n, from, to,
		func(f float64) float64 { return (logistic(k*(2*f-1)) - low) / (high - low) },
		func(t float64) float64 {
			p := low + t*(high-low)
			return (math.Log(p/(1-p))/k + 1) / 2
		})
}

// String describes the grid.
func (g Logit) String() string { return fmt.Sprintf("Logit{%v}", g.WithDefaults().K) }

// overUnit places even steps of a number whose function is time, with the given inverse, both
// from [0, 1] to [0, 1].
func overUnit(n int, from, to float64, f, inverse func(float64) float64) ([]float64, error) {
	if min(from, to) < 0 || max(from, to) > 1 {
		return nil, fmt.Errorf("it is made for times from 0 to 1, and the solve goes from %v to %v", from, to)
	}
	a, b := inverse(from), inverse(to)
	return between(n, func(fraction float64) float64 { return f(a + (b-a)*fraction) }, from, to), nil
}

func orUsual(v, usual float64) float64 {
	if v == 0 {
		return usual
	}
	return v
}

// toData places n steps from or to the model's data, of which the one at the data spans the
// times from 0 to least, as inner places the others.
func toData(n int, from, to, least float64, inner func(n int, noise, data float64) ([]float64, error)) ([]float64, error) {
	if from < to {
		nodes, err := toData(n, to, from, least, inner)
		slices.Reverse(nodes)
		return nodes, err
	}
	if to > 0 || least <= 0 || least >= from {
		return inner(n, from, to)
	}
	if n == 1 {
		return []float64{from, to}, nil
	}
	nodes, err := inner(n-1, from, least)
	return append(nodes, to), err
}

// Karras is the grid of even steps of (σ/α)^(1/Rho), as in Karras et al. 2022
// (arXiv:2206.00364, eq. 5): n noise levels, the last one the smallest at which the model is
// asked, and then the data. Where the noise at the beginning is pure, the first step goes
// from there to σ/α = 80.
type Karras struct {
	// Rho is the exponent, positive; 7 if 0. The larger it is, the shorter are steps at low
	// noise.
	Rho float64
}

// WithDefaults returns the grid with the usual exponent where it is 0.
func (g Karras) WithDefaults() Karras { return Karras{orUsual(g.Rho, 7)} }

// Validate reports an exponent that is out of range.
func (g Karras) Validate() error { return checkExponent("Karras", "Rho", g.Rho) }

// Nodes implements [Grid].
func (g Karras) Nodes(n int, from, to float64, clock Clock) ([]float64, error) {
	rho := g.WithDefaults().Rho
	return byRatio(n, from, to, clock,
		func(ratio float64) float64 { return math.Pow(ratio, 1/rho) },
		func(v float64) float64 { return math.Pow(v, rho) })
}

// String describes the grid.
func (g Karras) String() string { return fmt.Sprintf("Karras{%v}", g.WithDefaults().Rho) }

// LogSNR is the grid of even steps of log(α²/σ²) (Lu et al. 2022, arXiv:2206.00927), down
// to the smallest noise at which the model is asked, and then to the data. Where the noise
// at the beginning is pure, the first step goes from there to σ/α = 80.
type LogSNR struct{}

// Nodes implements [Grid].
func (LogSNR) Nodes(n int, from, to float64, clock Clock) ([]float64, error) {
	return byRatio(n, from, to, clock, math.Log, math.Exp)
}

// String names the grid.
func (LogSNR) String() string { return "LogSNR" }

// Angle is the grid of even steps of the angle φ = atan(σ/α), shifted to the data as [Shifted]
// does it to times, down to the smallest noise at which the model is asked, and then to the
// data. It suits the methods of high order in the angle of a diffusion, such as [AdamsPEC] for
// schedules without noise at 0.
type Angle struct {
	// S is the shift of φ/(π/2), positive; ½ if 0. 1 leaves the steps even; the smaller it is,
	// the shorter are those near the data.
	S float64
}

// WithDefaults returns the grid with the usual shift where it is 0.
func (g Angle) WithDefaults() Angle { return Angle{orUsual(g.S, 0.5)} }

// Validate reports a shift that is out of range.
func (g Angle) Validate() error { return checkExponent("Angle", "S", g.S) }

// Nodes implements [Grid].
func (g Angle) Nodes(n int, from, to float64, clock Clock) ([]float64, error) {
	return toData(n, from, to, clock.Data(), func(n int, noise, data float64) ([]float64, error) {
		ends, err := clock.Ratios([]float64{noise, data})
		if err != nil {
			return nil, err
		}
		for i, ratio := range ends {
			ends[i] = math.Atan(ratio) / (math.Pi / 2)
		}
		turns, err := Shifted{g.WithDefaults().S}.Nodes(n, ends[0], ends[1], clock)
		if err != nil {
			return nil, err
		}
		for i, turn := range turns {
			turns[i] = math.Tan(turn * math.Pi / 2)
		}
		times, err := clock.Times(turns)
		if err != nil {
			return nil, err
		}
		times[0], times[n] = noise, data
		return times, nil
	})
}

// String describes the grid.
func (g Angle) String() string { return fmt.Sprintf("Angle{%v}", g.WithDefaults().S) }

// mostRatio is where steps by noise levels begin if the noise is pure, and pure says from
// which level on it counts as that.
const mostRatio, pure = 80, 1e5

// byRatio places even steps of a function f of σ/α with the given inverse.
func byRatio(n int, from, to float64, clock Clock, f, inverse func(float64) float64) ([]float64, error) {
	if clock.model == nil {
		_, err := clock.Ratios(nil)
		return nil, err
	}
	return toData(n, from, to, clock.Data(), func(n int, noise, data float64) ([]float64, error) {
		ratios, err := clock.Ratios([]float64{noise, data})
		if err != nil {
			return nil, err
		}
		var first []float64
		if ratios[0] > pure {
			if n == 1 {
				return []float64{noise, data}, nil
			}
			first, ratios[0], n = []float64{noise}, mostRatio, n-1
		}
		a, b := f(ratios[0]), f(ratios[1])
		times, err := clock.Times(between(n, func(fraction float64) float64 { return inverse(a + (b-a)*fraction) }, ratios[0], ratios[1]))
		if err != nil {
			return nil, err
		}
		if first == nil {
			times[0] = noise
		}
		times[n] = data
		return append(first, times...), nil
	})
}

// Times is the grid of given times, at which steps end. They rise or fall strictly and
// include both ends of the longest solve; one that runs the other way, or over a part of
// it, takes those between its ends. Leave the solver's Steps at 0 then.
type Times []float64

// Validate reports times that don't rise or fall strictly.
func (g Times) Validate() error {
	if len(g) < 2 {
		return fmt.Errorf("solver.Times: there are %d times: give at least both ends", len(g))
	}
	return monotone("the times", g)
}

// monotone reports where values don't rise or fall strictly.
func monotone(what string, values []float64) error {
	direction, word := 1., "rise"
	if values[len(values)-1] < values[0] {
		direction, word = -1, "fall"
	}
	for i := range len(values) - 1 {
		if d := direction * (values[i+1] - values[i]); !(d > 0) || math.IsInf(d, 0) {
			return fmt.Errorf("%s go from %v (number %d) to %v (number %d): they must %s strictly from %v to %v",
				what, values[i], i, values[i+1], i+1, word, values[0], values[len(values)-1])
		}
	}
	return nil
}

// Nodes implements [Grid]. It takes no notice of n.
func (g Times) Nodes(_ int, from, to float64, _ Clock) ([]float64, error) {
	low, high := min(g[0], g[len(g)-1]), max(g[0], g[len(g)-1])
	if min(from, to) < low || max(from, to) > high {
		return nil, fmt.Errorf("its times go from %v to %v, and the solve from %v to %v: give times from one end to the other", g[0], g[len(g)-1], from, to)
	}
	nodes := []float64{from}
	for _, t := range g {
		if min(from, to) < t && t < max(from, to) {
			nodes = append(nodes, t)
		}
	}
	if len(nodes) > 2 && (nodes[2]-nodes[1])*(to-from) < 0 {
		slices.Reverse(nodes[1:])
	}
	return append(nodes, to), nil
}

// String describes the grid.
func (g Times) String() string { return fmt.Sprintf("Times%v", []float64(g)) }

// nodesOf asks a grid for the nodes of a solve, and checks them.
func nodesOf(s Solver, grid Grid, n int, from, to float64, clock Clock) (nodes []float64, err error) {
	fail := func(err error) error { return fmt.Errorf("solver: the grid %v of %v: %w", grid, s, err) }
	err = gomlx.Try(func() (err error) {
		nodes, err = grid.Nodes(n, from, to, clock)
		return err
	})
	if err != nil {
		return nil, fail(err)
	}
	if _, given := grid.(Times); !given && len(nodes) != n+1 || len(nodes) < 2 {
		return nil, fail(fmt.Errorf("it has %d times for %d steps: there must be one more than steps", len(nodes), n))
	}
	if last := nodes[len(nodes)-1]; nodes[0] != from || last != to {
		return nil, fail(fmt.Errorf("its times go from %v to %v, and the solve from %v to %v", nodes[0], last, from, to))
	}
	if err := monotone("its times", nodes); err != nil {
		return nil, fail(err)
	}
	return nodes, nil
}

package loss

import (
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/schedule"

	. "github.com/gomlx/gomlx/core/graph"
)

// Uniform is the law under which all times of [0, 1) are equally likely.
type Uniform struct{}

// Quantile implements [Law].
func (Uniform) Quantile(u *Node) *Node { return u }

// Density implements [Law].
func (Uniform) Density(t *Node) *Node { return OnesLike(t) }

// String is the law's name.
func (Uniform) String() string { return "Uniform" }

// Power is the law of t = u^Exponent for a uniform u: with an exponent above 1 more times
// are near the data, with one below 1 more are near the noise.
type Power struct {
	// Exponent is positive; 2 if 0.
	Exponent float64
}

// Validate reports an exponent out of range.
func (p Power) Validate() error {
	if !(p.exponent() > 0) || math.IsInf(p.Exponent, 0) {
		return fmt.Errorf("loss.Power: Exponent is %v: it must be positive and finite, or 0 for 2", p.Exponent)
	}
	return nil
}

// Quantile implements [Law]. A u below the machine epsilon counts as it, so that no time is
// drawn that has no density.
func (p Power) Quantile(u *Node) *Node { return PowScalar(gomlx.AwayFromZero(u), p.exponent()) }

// Density implements [Law]. With an exponent above 1 it grows without bound near 0, with one
// below 1 it vanishes there: times below the machine epsilon have the density at it.
func (p Power) Density(t *Node) *Node {
	k := 1 / p.exponent()
	return MulScalar(PowScalar(gomlx.AwayFromZero(t), k-1), k)
}

func (p Power) exponent() float64 {
	if p.Exponent == 0 {
		return 2
	}
	return p.Exponent
}

// String describes the law, as in Power(2).
func (p Power) String() string { return fmt.Sprintf("Power(%g)", p.exponent()) }

// LogitNormal is the law of t = 1/(1+exp(-z)) with a normal z: more times in the middle
// (Esser et al. 2024, arXiv:2403.03206, eq. 19). The zero value has a mean of 0 and a
// standard deviation of 1.
type LogitNormal struct {
	// Mean is the mean of z: a positive one moves the times towards the noise.
	Mean float64

	// Std is the standard deviation of z, positive; 1 if 0.
	Std float64
}

// Validate reports parameters out of range.
func (l LogitNormal) Validate() error { return checkNormal("LogitNormal", l.Mean, l.Std) }

// Quantile implements [Law].
func (l LogitNormal) Quantile(u *Node) *Node {
	return Sigmoid(AddScalar(MulScalar(gomlx.NormalQuantile(u), orOne(l.Std)), l.Mean))
}

// Density implements [Law].
func (l LogitNormal) Density(t *Node) *Node {
	t = MinScalar(gomlx.AwayFromZero(t), 1-gomlx.Epsilon(t.DType()))
	back := OneMinus(t)
	return Div(normalDensity(Log(Div(t, back)), l.Mean, orOne(l.Std)), Mul(t, back))
}

// String describes the law, as in LogitNormal(0, 1).
func (l LogitNormal) String() string { return fmt.Sprintf("LogitNormal(%g, %g)", l.Mean, orOne(l.Std)) }

// LogNormal is the law under which log(σ/α) of a schedule is normal, cut off at its ends:
// with EDM's schedule it is the one of Karras et al. 2022 (arXiv:2206.00364, table 1), who
// take a mean of -1.2 and a standard deviation of 1.2 for images.
type LogNormal struct {
	// Schedule is that of the loss.
	Schedule schedule.Schedule

	// Mean is the mean of log(σ/α).
	Mean float64

	// Std is the standard deviation of log(σ/α), positive; 1 if 0.
	Std float64
}

// Validate reports parameters out of range.
func (l LogNormal) Validate() error {
	if err := schedule.Validate(l.Schedule); err != nil {
		return fmt.Errorf("loss.LogNormal: %w", err)
	}
	return checkNormal("LogNormal", l.Mean, l.Std)
}

// Quantile implements [Law].
func (l LogNormal) Quantile(u *Node) *Node {
	low, high := l.ends(u)
	z := gomlx.NormalQuantile(Add(low, Mul(u, Sub(high, low))))
	ratio := Exp(AddScalar(MulScalar(z, orOne(l.Std)), l.Mean))
	return schedule.TimeOf(l.Schedule, OnesLike(ratio), ratio)
}

// Density implements [Law].
func (l LogNormal) Density(t *Node) *Node {
	low, high := l.ends(t)
	s := l.Schedule
	rate := Sub(Div(schedule.SigmaDot(s, t), gomlx.AwayFromZero(s.Sigma(t))), Div(schedule.AlphaDot(s, t), gomlx.AwayFromZero(s.Alpha(t))))
	return Div(Mul(normalDensity(l.logRatio(t), l.Mean, orOne(l.Std)), rate), Sub(high, low))
}

// ends are the probabilities, under the normal law that isn't cut off, of less noise than
// the schedule has at t=0 and of less than it has at t=1.
func (l LogNormal) ends(like *Node) (low, high *Node) {
	at := func(t float64) *Node {
		z := MulScalar(AddScalar(l.logRatio(ConstAs(like, t)), -l.Mean), 1/(orOne(l.Std)*math.Sqrt2))
		return MulScalar(AddScalar(Erf(z), 1), 0.5)
	}
	return at(0), at(1)
}

// logRatio is log σ/α at t.
func (l LogNormal) logRatio(t *Node) *Node {
	return Sub(Log(gomlx.AwayFromZero(l.Schedule.Sigma(t))), Log(gomlx.AwayFromZero(l.Schedule.Alpha(t))))
}

// String describes the law, as in LogNormal(-1.2, 1.2, EDM{0.002, 80, 7}).
func (l LogNormal) String() string {
	return fmt.Sprintf("LogNormal(%g, %g, %v)", l.Mean, orOne(l.Std), l.Schedule)
}

// Table is a law given by a histogram: the times between Edges[i] and Edges[i+1] have a
// probability proportional to Weights[i], and are equally likely among themselves. It holds
// the losses of a run by time, for instance, to draw more where there is more to learn.
type Table struct {
	// Edges rise from 0 to 1; one more than there are weights.
	Edges []float64

	// Weights are not negative, and not all 0.
	Weights []float64
}

// Validate reports edges that don't rise from 0 to 1, and weights that are negative, not finite
// or all 0.
func (l Table) Validate() error {
	switch {
	case len(l.Weights) == 0 || len(l.Edges) != len(l.Weights)+1:
		return fmt.Errorf("loss.Table: there are %d edges and %d weights: expected at least one weight, and one edge more than weights", len(l.Edges), len(l.Weights))
	case l.Edges[0] != 0 || l.Edges[len(l.Edges)-1] != 1:
		return fmt.Errorf("loss.Table: the edges go from %v to %v: they must go from 0 to 1", l.Edges[0], l.Edges[len(l.Edges)-1])
	}
	sum := 0.0
	for i, w := range l.Weights {
		if !(l.Edges[i] < l.Edges[i+1]) {
			return fmt.Errorf("loss.Table: Edges[%d] is %v and Edges[%d] is %v: edges must rise", i, l.Edges[i], i+1, l.Edges[i+1])
		}
		if !(w >= 0) || math.IsInf(w, 0) {
			return fmt.Errorf("loss.Table: Weights[%d] is %v: it must be finite and at least 0", i, w)
		}
		sum += w
	}
	if sum == 0 {
		return fmt.Errorf("loss.Table: all %d weights are 0: one at least must be more", len(l.Weights))
	}
	return nil
}

// Quantile implements [Law].
func (l Table) Quantile(u *Node) *Node {
	below := 0.0 // the probability of the bins before
	t := ZerosLike(u)
	for i, p := range l.probabilities() {
		if p > 0 {
			within := MinScalar(MaxScalar(MulScalar(AddScalar(u, -below), 1/p), 0), 1)
			edge, width := l.Edges[i], l.Edges[i+1]-l.Edges[i]
			t = Where(GreaterOrEqual(u, ConstAs(u, below)), AddScalar(MulScalar(within, width), edge), t)
			below += p
		}
	}
	return t
}

// Density implements [Law].
func (l Table) Density(t *Node) *Node {
	density := ZerosLike(t)
	for i, p := range l.probabilities() {
		here := GreaterOrEqual(t, ConstAs(t, l.Edges[i]))
		density = Where(here, ConstAs(t, p/(l.Edges[i+1]-l.Edges[i])), density)
	}
	return density
}

func (l Table) probabilities() []float64 {
	sum := 0.0
	for _, w := range l.Weights {
		sum += w
	}
	p := slices.Clone(l.Weights)
	for i := range p {
		p[i] /= sum
	}
	return p
}

// String describes the law, with its edges and weights.
func (l Table) String() string { return fmt.Sprintf("Table(%v, %v)", l.Edges, l.Weights) }

func orOne(std float64) float64 {
	if std == 0 {
		return 1
	}
	return std
}

func checkNormal(law string, mean, std float64) error {
	if math.IsNaN(mean) || math.IsInf(mean, 0) {
		return fmt.Errorf("loss.%s: Mean is %v: it must be finite", law, mean)
	}
	if !(orOne(std) > 0) || math.IsInf(std, 0) {
		return fmt.Errorf("loss.%s: Std is %v: it must be positive and finite, or 0 for 1", law, std)
	}
	return nil
}

// normalDensity is the density of N(mean, std²) at z.
func normalDensity(z *Node, mean, std float64) *Node {
	z = MulScalar(AddScalar(z, -mean), 1/std)
	return MulScalar(Exp(MulScalar(Square(z), -0.5)), 1/(std*math.Sqrt(2*math.Pi)))
}

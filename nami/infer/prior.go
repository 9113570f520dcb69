package infer

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Prior says which parameters there are, and how likely their values are before anything was
// observed. A type of your own is one with these methods; [Density] and [Bounded] are more that it
// may have.
type Prior interface {
	// Names are those of the parameters, in their order.
	Names() []string

	// Draw puts one draw into theta, which has a value for each name.
	Draw(random *rand.Rand, theta []float64)
}

// Density is a prior that knows its density.
type Density interface {
	Prior

	// LogProb is the log-density in nats, -Inf where there is none.
	LogProb(theta []float64) float64
}

// Bounded is a prior that knows between which values each parameter lies, infinite where it has no
// bound.
type Bounded interface {
	Prior

	// Bounds has a value for each name in low and in high.
	Bounds() (low, high []float64)
}

// Independent is the prior of parameters that don't depend on one another, in the order in which a
// simulator takes them.
type Independent []Parameter

// Parameter is one of a prior's parameters.
type Parameter struct {
	Name string

	// Law is its distribution.
	Law Law
}

// Law is a distribution of one continuous number: those of gonum's package distuv have these
// methods, such as distuv.Uniform, distuv.Normal, distuv.Gamma and distuv.LogNormal.
type Law interface {
	// LogProb is the log-density in nats.
	LogProb(x float64) float64

	// Quantile is where the distribution function reaches p. Its values at 0 and 1 are the
	// bounds, infinite for none.
	Quantile(p float64) float64
}

// Names implements [Prior].
func (p Independent) Names() []string {
	names := make([]string, len(p))
	for i, q := range p {
		names[i] = q.Name
	}
	return names
}

// Draw implements [Prior].
func (p Independent) Draw(random *rand.Rand, theta []float64) {
	for i, q := range p {
		u := random.Float64()
		for u == 0 { // which may be infinitely far away
			u = random.Float64()
		}
		theta[i] = q.Law.Quantile(u)
	}
}

// LogProb implements [Density].
func (p Independent) LogProb(theta []float64) (sum float64) {
	for i, q := range p {
		if low, high := q.Law.Quantile(0), q.Law.Quantile(1); theta[i] < low || theta[i] > high {
			return math.Inf(-1)
		}
		sum += q.Law.LogProb(theta[i])
	}
	return sum
}

// Bounds implements [Bounded].
func (p Independent) Bounds() (low, high []float64) {
	for _, q := range p {
		low, high = append(low, q.Law.Quantile(0)), append(high, q.Law.Quantile(1))
	}
	return low, high
}

// Validate reports what is wrong with the parameters.
func (p Independent) Validate() error {
	for i, q := range p {
		if q.Law == nil {
			return fmt.Errorf("infer.Independent: the parameter %q (number %d) has no Law: give one, as distuv.Uniform{Min: 0, Max: 1}", q.Name, i)
		}
		low, high := q.Law.Quantile(0), q.Law.Quantile(1)
		middle := q.Law.Quantile(0.5)
		switch {
		case !(low < high):
			return fmt.Errorf("infer.Independent: the parameter %q lies between %v and %v: expected bounds of which the second is larger", q.Name, low, high)
		case !(middle > low && middle < high) || math.IsNaN(q.Law.LogProb(middle)):
			return fmt.Errorf("infer.Independent: the parameter %q has the median %v, with the log-density %v: look at what its Law %T{%+v} was given", q.Name, middle, q.Law.LogProb(middle), q.Law, q.Law)
		}
	}
	return nil
}

// LogUniform is the distribution of a positive number whose logarithm is uniform: each factor of
// ten is as likely as another.
type LogUniform struct {
	// Min and Max are the bounds, 0 < Min < Max.
	Min, Max float64
}

// LogProb implements [Law].
func (l LogUniform) LogProb(x float64) float64 {
	if x < l.Min || x > l.Max {
		return math.Inf(-1)
	}
	return -math.Log(x) - math.Log(math.Log(l.Max/l.Min))
}

// Quantile implements [Law].
func (l LogUniform) Quantile(p float64) float64 {
	if !(l.Min > 0) {
		return math.NaN()
	}
	return math.Min(l.Max, l.Min*math.Exp(p*math.Log(l.Max/l.Min)))
}

// Sampler is a prior of which draws are known, as they come from a program or from an analysis
// before, and maybe the density.
type Sampler struct {
	// Parameters are the names.
	Parameters []string

	// Func puts a draw into theta.
	Func func(random *rand.Rand, theta []float64)

	// LogDensity is the log-density, -Inf where there is none; nil if it isn't known. It says
	// which of a posterior's samples lie outside the prior's support, and a likelihood needs it.
	LogDensity func(theta []float64) float64

	// Low and High are bounds of the parameters, infinite for none; nil if there are none at all.
	Low, High []float64
}

// Names implements [Prior].
func (s Sampler) Names() []string { return s.Parameters }

// Draw implements [Prior].
func (s Sampler) Draw(random *rand.Rand, theta []float64) { s.Func(random, theta) }

// Bounds implements [Bounded].
func (s Sampler) Bounds() (low, high []float64) {
	low, high = slices.Clone(s.Low), slices.Clone(s.High)
	for len(low) < len(s.Parameters) {
		low = append(low, math.Inf(-1))
	}
	for len(high) < len(s.Parameters) {
		high = append(high, math.Inf(1))
	}
	return low, high
}

// Validate reports what is missing, or doesn't fit together.
func (s Sampler) Validate() error {
	d := len(s.Parameters)
	switch {
	case s.Func == nil:
		return errors.New("infer.Sampler: Func is nil: give a function that draws parameters")
	case s.Low != nil && len(s.Low) != d, s.High != nil && len(s.High) != d:
		return fmt.Errorf("infer.Sampler: there are %d lower and %d upper bounds, and %d parameters: give a bound for each, infinite for none", len(s.Low), len(s.High), d)
	}
	low, high := s.Bounds()
	for i, name := range s.Parameters {
		if !(low[i] < high[i]) {
			return fmt.Errorf("infer.Sampler: the parameter %q lies between %v and %v: expected bounds of which the second is larger", name, low[i], high[i])
		}
	}
	return nil
}

// checkPrior refuses a prior that nothing can be drawn from.
func checkPrior(p Prior) error {
	if p == nil {
		return errors.New("infer: the prior is nil: give one, as infer.Independent{…}")
	}
	names := p.Names()
	if len(names) == 0 {
		return errors.New("infer: the prior has no parameters: expected at least one")
	}
	for i, name := range names {
		switch {
		case name == "":
			return fmt.Errorf("infer: parameter %d has no name: give each a name of its own", i)
		case slices.Contains(names[:i], name):
			return fmt.Errorf("infer: there are two parameters %q: give each a name of its own", name)
		}
	}
	if v, ok := p.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return err
		}
	}
	return nil
}

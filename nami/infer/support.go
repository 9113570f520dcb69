package infer

import "math"

// support is where a prior has a density, as far as it knows.
type support struct {
	low, high  []float64                     // bounds of the parameters, infinite for none
	logDensity func(theta []float64) float64 // nil if the bounds say all
}

func supportOf(p Prior) support {
	s := support{}
	bounded, ok := p.(Bounded)
	if !ok {
		bounded = Sampler{Parameters: p.Names()}
	}
	s.low, s.high = bounded.Bounds()
	switch p := p.(type) {
	case Independent:
	case Sampler:
		s.logDensity = p.LogDensity
	case Density:
		s.logDensity = p.LogProb
	}
	return s
}

// holds says whether theta is in the support.
func (s support) holds(theta []float64) bool {
	for i, x := range theta {
		if x < s.low[i] || x > s.high[i] {
			return false
		}
	}
	return s.logDensity == nil || !math.IsInf(s.logDensity(theta), -1)
}

// leaks says whether samples can lie outside: not if bounds say all, as parameters with a lower bound
// or with both are mapped to all numbers.
func (s support) leaks() bool {
	for i := range s.low {
		if math.IsInf(s.low[i], -1) && !math.IsInf(s.high[i], 1) {
			return true
		}
	}
	return s.logDensity != nil
}

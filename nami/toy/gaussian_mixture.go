package toy

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"
)

// Gaussian is a normal distribution.
type Gaussian struct {
	Mean       []float64
	Covariance [][]float64 // symmetric and positive definite
}

// GaussianMixture is the mixture Σ_k w_k·N(mean_k, covariance_k) in any number of
// dimensions. Points are labelled with their component.
type GaussianMixture struct {
	Components []Gaussian

	// Weights are the components' shares, which are scaled to sum to 1; all the same if nil.
	Weights []float64
}

var (
	_ Labelled = GaussianMixture{}
	_ Density  = GaussianMixture{}
)

// SignalAndBackground is a correlated Gaussian signal, component 1, beside a wider
// background, component 0, in the plane; the signal's share is between 0 and 1.
func SignalAndBackground(share float64) GaussianMixture {
	return GaussianMixture{
		Components: []Gaussian{
			{Mean: []float64{0, 0}, Covariance: [][]float64{{2, -0.2}, {-0.2, 2}}},
			{Mean: []float64{1, 0}, Covariance: [][]float64{{1, 0.3}, {0.3, 1}}},
		},
		Weights: []float64{1 - share, share},
	}
}

// mixture is a GaussianMixture whose parameters were checked.
type mixture struct {
	dim     int
	upTo    []float64 // the sums of the weights up to each component's
	weights []float64
	parts   []part
}

// part is a component: N(mean, L·Lᵀ).
type part struct {
	mean   []float64
	factor [][]float64 // L, the rows of the covariance's lower Cholesky factor
}

// move makes a point of standard normal numbers z: x = mean + L·z. The conversion forbids
// a fused multiply-add, which some processors have and others lack.
func (p part) move(z, x []float64) {
	for i, row := range p.factor {
		x[i] = p.mean[i]
		for j, l := range row {
			x[i] += float64(l * z[j])
		}
	}
}

// logProb is the log-density at x: that of z = L⁻¹·(x - mean), less log det L.
func (p part) logProb(x []float64) float64 {
	z, sum := make([]float64, len(x)), 0.0
	for i, row := range p.factor {
		z[i] = x[i] - p.mean[i]
		for j := range i {
			z[i] -= row[j] * z[j]
		}
		z[i] /= row[i]
		sum += z[i]*z[i]/2 + math.Log(2*math.Pi)/2 + math.Log(row[i])
	}
	return -sum
}

func (m GaussianMixture) settle() (s mixture, err error) {
	if len(m.Components) == 0 {
		return s, errors.New("toy.GaussianMixture: there are no components: give at least one Gaussian")
	}
	s.dim = len(m.Components[0].Mean)
	for k, g := range m.Components {
		p, err := g.settle(s.dim)
		if err != nil {
			return s, fmt.Errorf("toy.GaussianMixture: component %d: %w", k, err)
		}
		s.parts = append(s.parts, p)
	}
	if m.Weights != nil && len(m.Weights) != len(m.Components) {
		return s, fmt.Errorf("toy.GaussianMixture: there are %d weights for %d components: give one for each, or none", len(m.Weights), len(m.Components))
	}
	total := 0.0
	for k := range m.Components {
		w := 1.0
		if m.Weights != nil {
			w = m.Weights[k]
		}
		if !(w >= 0) || math.IsInf(w, 1) {
			return s, fmt.Errorf("toy.GaussianMixture: weight %d of %v is %g: it must be finite and 0 or more", k, m.Weights, w)
		}
		s.weights = append(s.weights, w)
		total += w
	}
	if total == 0 || math.IsInf(total, 1) {
		return s, fmt.Errorf("toy.GaussianMixture: the weights %v sum to %g: the sum must be finite and above 0", m.Weights, total)
	}
	sum := 0.0
	for k := range s.weights {
		s.weights[k] /= total
		sum += s.weights[k]
		s.upTo = append(s.upTo, sum)
	}
	return s, nil
}

// settle checks a component's parameters.
func (g Gaussian) settle(dim int) (p part, err error) {
	if len(g.Mean) != dim || dim == 0 || len(g.Covariance) != dim {
		return p, fmt.Errorf("the mean has %d values and the covariance %d rows: both must have %d, as all components, and at least 1", len(g.Mean), len(g.Covariance), dim)
	}
	covariance := mat.NewSymDense(dim, nil)
	for i, row := range g.Covariance {
		if len(row) != dim {
			return p, fmt.Errorf("row %d of the covariance has %d values: expected %d", i, len(row), dim)
		}
		for j, v := range row {
			if v != g.Covariance[j][i] {
				return p, fmt.Errorf("the covariance is %g at (%d, %d) and %g at (%d, %d): it must be symmetric", v, i, j, g.Covariance[j][i], j, i)
			}
			covariance.SetSym(i, j, v)
		}
	}
	for i, v := range g.Mean {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return p, fmt.Errorf("value %d of the mean is %v: it must be finite", i, v)
		}
	}
	var cholesky mat.Cholesky
	if !cholesky.Factorize(covariance) {
		return p, fmt.Errorf("the covariance %v is not positive definite", g.Covariance)
	}
	var factor mat.TriDense
	cholesky.LTo(&factor)
	p.mean = g.Mean
	for i := range dim {
		row := make([]float64, i+1)
		for j := range row {
			row[j] = factor.At(i, j)
		}
		p.factor = append(p.factor, row)
	}
	return p, nil
}

// Sample returns n points as float32 [n, dimensions]. It is an error if n is negative or a
// parameter out of range.
func (m GaussianMixture) Sample(seed int64, n int) (*tensors.Tensor, error) {
	points, _, err := m.SampleLabelled(seed, n)
	return points, err
}

// SampleLabelled implements [Labelled]: the label of a point is the number of its component.
func (m GaussianMixture) SampleLabelled(seed int64, n int) (*tensors.Tensor, []int, error) {
	s, err := m.settle()
	if err != nil {
		return nil, nil, err
	}
	z := make([]float64, s.dim)
	return draw("GaussianMixture", seed, mixtureStream, n, s.dim, func(rng *rand.Rand, _ int, x []float64) int {
		k := s.pick(rng.Float64())
		for i := range z {
			z[i] = rng.NormFloat64()
		}
		s.parts[k].move(z, x)
		return k
	})
}

// pick is the component to which u of [0, 1) belongs.
func (s mixture) pick(u float64) int {
	last := 0
	for k, upTo := range s.upTo {
		if s.weights[k] == 0 {
			continue
		}
		if u < upTo {
			return k
		}
		last = k // where the weights sum to 1 but for rounding
	}
	return last
}

// LogProb implements [Density]. It doesn't underflow, however far from all components.
func (m GaussianMixture) LogProb(points *tensors.Tensor) (*tensors.Tensor, error) {
	s, err := m.settle()
	if err != nil {
		return nil, err
	}
	each := make([]float64, len(s.parts))
	return logProb("GaussianMixture", points, s.dim, func(x []float64) float64 {
		for k, p := range s.parts {
			each[k] = math.Log(s.weights[k]) + p.logProb(x)
		}
		return logSumExp(each)
	})
}

const mixtureStream = 0x6d697874757265 // "mixture"

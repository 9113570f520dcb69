package schedule

import (
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	. "github.com/gomlx/gomlx/core/graph"
)

// EDM is the schedule of Karras et al. 2022 (arXiv:2206.00364, eq. 5), read with a
// continuous time: α = 1, f = 0 and
//
//	σ(t) = (SigmaMin^(1/Rho) + t·(SigmaMax^(1/Rho) - SigmaMin^(1/Rho)))^Rho, g = √(2·σ·dσ/dt).
//
// Even times have even steps of σ^(1/Rho), as the noise levels of their sampler have; the larger
// Rho is, the finer they are at low noise. nami's Diffusion steps from one to the next in σ, as
// they do. The zero EDM is EDM{0.002, 80, 7}.
type EDM struct {
	// SigmaMin is σ(0), positive.
	SigmaMin float64

	// SigmaMax is σ(1), larger than SigmaMin.
	SigmaMax float64

	// Rho is the exponent, positive.
	Rho float64
}

// Validate reports parameters that are out of range.
func (s EDM) Validate() error {
	s = s.WithDefaults()
	if !(s.Rho > 0 && s.Rho <= math.MaxFloat64) {
		return fmt.Errorf("schedule.EDM: Rho is %v: it must be positive and finite (7 is usual)", s.Rho)
	}
	return checkSigmas("EDM", s.SigmaMin, s.SigmaMax)
}

// WithDefaults returns the schedule with the usual values in the place of the zero value.
func (s EDM) WithDefaults() EDM {
	if s == (EDM{}) {
		return EDM{SigmaMin: 0.002, SigmaMax: 80, Rho: 7}
	}
	return s
}

// Alpha implements [Schedule].
func (s EDM) Alpha(t *Node) *Node { return OnesLike(t) }

// Sigma implements [Schedule].
func (s EDM) Sigma(t *Node) *Node { return PowScalar(s.root(t), s.WithDefaults().Rho) }

// Drift implements [Schedule].
func (s EDM) Drift(x, t *Node) *Node { return noDrift(x, t) }

// Diffusion implements [Schedule].
func (s EDM) Diffusion(t *Node) *Node {
	return Sqrt(MulScalar(Mul(s.Sigma(t), s.SigmaDot(t)), 2))
}

// AlphaDot implements [Differentiable].
func (s EDM) AlphaDot(t *Node) *Node { return ZerosLike(t) }

// SigmaDot implements [Differentiable].
func (s EDM) SigmaDot(t *Node) *Node {
	low, high := s.ends()
	rho := s.WithDefaults().Rho
	return MulScalar(PowScalar(s.root(t), rho-1), rho*(high-low))
}

// TimeOf implements [Invertible].
func (s EDM) TimeOf(alpha, sigma *Node) *Node {
	low, high := s.ends()
	root := PowScalar(Div(sigma, gomlx.AwayFromZero(alpha)), 1/s.WithDefaults().Rho)
	return MulScalar(AddScalar(root, -low), 1/(high-low))
}

// root is σ(t)^(1/Rho), linear in t.
func (s EDM) root(t *Node) *Node {
	low, high := s.ends()
	return AddScalar(MulScalar(t, high-low), low)
}

// ends are SigmaMin and SigmaMax to the power of 1/Rho.
func (s EDM) ends() (low, high float64) {
	must(s.Validate())
	s = s.WithDefaults()
	return math.Pow(s.SigmaMin, 1/s.Rho), math.Pow(s.SigmaMax, 1/s.Rho)
}

// String describes the schedule, as in "EDM{0.002, 80, 7}".
func (s EDM) String() string {
	s = s.WithDefaults()
	return fmt.Sprintf("EDM{%v, %v, %v}", s.SigmaMin, s.SigmaMax, s.Rho)
}

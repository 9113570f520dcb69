package infer

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/metric"

	"github.com/gomlx/gomlx/core/tensors"
)

// Sizes of a check.
const (
	checkTests = 500 // simulations, at most
	checkDraws = 99  // of the posterior given each
)

// falseAlarms is the probability with which a check finds anything wrong with a posterior that is
// right, over all of its tests.
const falseAlarms = 0.01

// Report says whether a posterior can be trusted: see [Posterior.Check]. Each test has its value
// beside what it would be for a posterior that is right.
type Report struct {
	// Tests is the number of simulations that were held against the posterior, which the training
	// hadn't seen.
	Tests int

	// Ranks are those of the true parameters among the posterior's draws, for each parameter
	// (simulation-based calibration).
	Parameters []string
	Ranks      []metric.Calibration

	// Coverage is how often the smallest credible regions hold the truth, and TARP the same for
	// regions around random points, which also sees errors that the density itself hides.
	Coverage, TARP metric.Calibration

	// Leakage is the part of the draws that lie outside the prior's support.
	Leakage float64

	// Typical tests whether the observation is like the simulations at all, and Local whether the
	// posterior is right at it. Both are nil if there is no observation.
	Typical, Local *metric.Test
}

// Check holds the posterior against simulations that the training hasn't seen, and against the
// observation, if there is one. The simulations are those that Fit held out; give others that were
// drawn from the prior if these are few, or nil. It takes up to 500 of them with 99 draws for each.
func (p *Posterior) Check(ctx context.Context, observed []float64, simulations *Simulations) (*Report, error) {
	if observed != nil {
		if err := p.admit(observed); err != nil {
			return nil, fmt.Errorf("infer: %w", err)
		}
	}
	if simulations == nil {
		simulations = p.simulations
		_, held := simulations.split()
		simulations = simulations.rows(held)
	} else if err := simulations.check(p.prior); err != nil {
		return nil, err
	}
	n := min(simulations.Len(), checkTests)
	r := &Report{Tests: n, Parameters: p.prior.Names()}
	theta, x := simulations.Theta[:n], simulations.X[:n]
	draws, err := p.drawn(ctx, x, r)
	if err != nil {
		return nil, err
	}
	d := len(r.Parameters)
	truths := tensorOf(theta, d)
	if r.Ranks, err = metric.SimulationBased(truths, draws, 1); err != nil {
		return nil, err
	}
	if r.TARP, err = metric.TARP(truths, draws, 1); err != nil {
		return nil, err
	}
	if err := p.coverage(ctx, r, x, truths, draws); err != nil {
		return nil, err
	}
	if observed == nil {
		return r, nil
	}
	return r, p.atObservation(ctx, r, observed, theta, x, draws)
}

// rows takes some of the simulations.
func (s *Simulations) rows(index []int) *Simulations {
	some := &Simulations{Parameters: s.Parameters, Failed: s.Failed}
	for _, i := range index {
		some.Theta, some.X = append(some.Theta, s.Theta[i]), append(some.X, s.X[i])
	}
	return some
}

// drawn are draws of the posterior given each observation, [n, draws, d].
func (p *Posterior) drawn(ctx context.Context, x [][]float64, r *Report) (*tensors.Tensor, error) {
	var flat []float32
	err := p.SampleEach(ctx, x, checkDraws, func(_ int, draws *Draws) error {
		r.Leakage += draws.Leakage / float64(len(x))
		for _, theta := range draws.Theta {
			for _, v := range theta {
				flat = append(flat, float32(v))
			}
		}
		return nil
	})
	return tensors.FromFlatDataAndDimensions(flat, len(x), checkDraws, len(r.Parameters)), err
}

// coverage ranks the density of the truth among that of the draws.
func (p *Posterior) coverage(ctx context.Context, r *Report, x [][]float64, truths, draws *tensors.Tensor) error {
	n, d := len(x), len(r.Parameters)
	process, err := p.process.Rebind(tensorOf(x, p.shape...))
	if err != nil {
		return err
	}
	// [draws+1, n, d], the truth first.
	from, points := tensors.MustCopyFlatData[float32](draws), tensors.MustCopyFlatData[float32](truths)
	for k := range checkDraws {
		for i := range n {
			at := (i*checkDraws + k) * d
			points = append(points, from[at:at+d]...)
		}
	}
	logp, err := process.LogProb(ctx, tensors.FromFlatDataAndDimensions(points, checkDraws+1, n, d), divergence.Exact{})
	if err != nil {
		return err
	}
	flat := tensors.MustCopyFlatData[float32](logp)
	of := make([]float32, 0, n*checkDraws)
	for i := range n {
		for k := range checkDraws {
			of = append(of, flat[(k+1)*n+i])
		}
	}
	r.Coverage, err = metric.ExpectedCoverage(tensors.FromFlatDataAndDimensions(flat[:n:n], n), tensors.FromFlatDataAndDimensions(of, n, checkDraws), 1)
	return err
}

// atObservation makes the tests that are of one observation.
func (p *Posterior) atObservation(ctx context.Context, r *Report, observed []float64, theta, x [][]float64, draws *tensors.Tensor) error {
	here := tensorOf([][]float64{observed}, p.shape...)
	typical, err := metric.Misspecification(tensorOf(p.simulations.X, p.shape...), here, 1)
	if err != nil {
		return err
	}
	r.Typical = &typical[0]
	d := len(r.Parameters)
	flat := tensors.MustCopyFlatData[float32](draws)
	one := make([]float32, 0, len(x)*d)
	for i := range x {
		one = append(one, flat[i*checkDraws*d:i*checkDraws*d+d]...)
	}
	l, err := metric.TrainLocalC2ST(ctx, tensorOf(theta, d), tensors.FromFlatDataAndDimensions(one, len(x), d), tensorOf(x, p.shape...), 1)
	if err != nil {
		return err
	}
	samples, err := p.Sample(ctx, observed, 1000)
	if err != nil {
		return err
	}
	local, err := l.Test(tensorOf([][]float64{observed}, p.shape...), samples.Tensor())
	if err != nil {
		return err
	}
	r.Local = &local
	return nil
}

// Trusted says whether none of the tests found anything. A posterior that is right passes with a
// probability of 0.99.
func (r *Report) Trusted() bool { return len(r.Findings()) == 0 }

// Findings are what is wrong with the posterior, in plain words, one for each test that found
// something.
func (r *Report) Findings() (all []string) {
	type finding struct {
		p    float64
		text string
	}
	var tests []finding
	for i, c := range r.Ranks {
		tests = append(tests, finding{c.Overall(), "the parameter " + r.Parameters[i] + ": " + c.Finding})
	}
	tests = append(tests, finding{r.Coverage.Overall(), "credible regions of highest density: " + r.Coverage.Finding},
		finding{r.TARP.Overall(), "regions around random points: " + r.TARP.Finding})
	if r.Typical != nil {
		tests = append(tests, finding{r.Typical.P, fmt.Sprintf("the observation is unlike what was simulated: it is %.3g away from its neighbours, where 95%% of simulations are less than %.3g away. What the posterior says of it is a guess: look for what the simulator lacks, or widen the prior", r.Typical.Value, r.Typical.High)},
			finding{r.Local.P, "at the observation, draws of the posterior can be told from true parameters: it is wrong there"})
	}
	p := make([]float64, len(tests))
	for i, t := range tests {
		p[i] = t.p
	}
	for i, adjusted := range metric.Holm(p) {
		if adjusted <= falseAlarms {
			all = append(all, tests[i].text)
		}
	}
	if r.Leakage > 0.05 {
		all = append(all, fmt.Sprintf("%.0f%% of the draws lie outside the prior's support, and are made again: give the prior's bounds, or train longer", math.Round(100*r.Leakage)))
	}
	return all
}

// String has the tests in lines, and what they found.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d simulations with %d draws each\n", r.Tests, checkDraws)
	line := func(name string, t fmt.Stringer) { fmt.Fprintf(&b, "  %-24s %v\n", name, t) }
	for i, c := range r.Ranks {
		line("ranks of "+r.Parameters[i], c)
	}
	line("coverage", r.Coverage)
	line("coverage (TARP)", r.TARP)
	if r.Typical != nil {
		line("observation is typical", *r.Typical)
		line("right at the observation", *r.Local)
	}
	if r.Leakage > 0 {
		fmt.Fprintf(&b, "  %.2g of the draws lay outside the prior's support\n", r.Leakage)
	}
	findings := r.Findings()
	if len(findings) == 0 {
		b.WriteString("nothing wrong was found\n")
	}
	for _, f := range findings {
		b.WriteString("wrong: " + f + "\n")
	}
	return b.String()
}

package coupling

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"sort"

	"github.com/gomlx/gomlx/core/tensors"
)

// Entropic draws pairs from the plan π of transport with entropy (Cuturi 2013, arXiv:1306.0895):
// of all plans that use each row alike, the one with the least
//
//	Σ π·|x - y|² + Epsilon·Σ π·log π
//
// by Sinkhorn's iterations, on potentials where scalings would overflow (Schmitzer 2019,
// arXiv:1610.06519). It is between [OptimalTransport], for a small Epsilon, and [Independent], for
// a large one. That of a Schrödinger bridge is [Bridge]. Each event draws a row of its own by the plan, so that
// rows repeat.
//
// An iteration takes 2n² multiplications: 512 rows of the plane take about 30 ms. It is
// refused where events have contexts, as [OptimalTransport] is.
type Entropic struct {
	// Epsilon is how much entropy counts, in units of the squared distance; a twentieth of the
	// batch's mean squared distance if 0.
	Epsilon float64

	// Tolerance is by how much a row of the source may come more or less often than it
	// should, as a share of that; 0.01 if 0.
	Tolerance float64

	// Iterations are how many there may be; 1,000 if 0. What has not come within the Tolerance
	// by then is an error of Pair.
	Iterations int
}

// Bridge draws pairs from the plan of the Schrödinger bridge of a Brownian motion whose variance
// grows by sigma² in a unit of time: [Entropic] with Epsilon = 2·sigma² (Tong et al. 2024,
// arXiv:2307.03672, proposition 3.1). Iterations, or a larger Tolerance, may be needed where sigma
// is small beside the data.
func Bridge(sigma float64) Entropic { return Entropic{Epsilon: 2 * sigma * sigma} }

// Validate reports parameters that are out of range.
func (e Entropic) Validate() error {
	if !(e.Epsilon >= 0) || !(e.Tolerance >= 0) || math.IsInf(e.Epsilon, 0) || e.Iterations < 0 {
		return fmt.Errorf("coupling.Entropic: Epsilon is %v, Tolerance %v and Iterations %d: none may be negative, and 0 is the default", e.Epsilon, e.Tolerance, e.Iterations)
	}
	return nil
}

// WithDefaults returns the coupling with the usual values where none are given. Epsilon stays 0,
// as it depends on the batch.
func (e Entropic) WithDefaults() Entropic {
	e.Tolerance, e.Iterations = cmp.Or(e.Tolerance, 0.01), cmp.Or(e.Iterations, 1000)
	return e
}

// Pair implements [Coupling]. It leaves the context alone. An error says by how much the plan is
// off, if it is.
func (e Entropic) Pair(random *rand.Rand, source, target, _ *tensors.Tensor) ([]int, error) {
	plan, n, off, err := e.plan(source, target)
	if err != nil {
		return nil, err
	}
	if e = e.WithDefaults(); !(off <= e.Tolerance) {
		return nil, fmt.Errorf("coupling.Entropic: after %d iterations a row of the source comes %.2g times too often or too seldom, and %.2g is allowed: give a larger Epsilon, more Iterations, or a larger Tolerance", e.Iterations, off, e.Tolerance)
	}
	rows := make([]int, n)
	for i := range rows {
		rows[i] = drawFrom(random, plan[i*n:(i+1)*n])
	}
	return rows, nil
}

// drawFrom draws one of the places of a list in proportion to what stands there.
func drawFrom(random *rand.Rand, weights []float64) int {
	sums, sum := make([]float64, len(weights)), 0.0
	for j, w := range weights {
		sum += w
		sums[j] = sum
	}
	u := random.Float64() * sum
	return min(len(sums)-1, sort.Search(len(sums), func(j int) bool { return sums[j] > u }))
}

// Plan is the plan of two batches, float64 [n, n]: how much of row i of target (data) goes with
// row j of source (noise), 1 in all; and by how much at most a row of the source has more or less
// than 1/n, as a share of that, whether that is within the Tolerance or not.
func (e Entropic) Plan(source, target *tensors.Tensor) (plan *tensors.Tensor, off float64, err error) {
	flat, n, off, err := e.plan(source, target)
	if err != nil {
		return nil, 0, err
	}
	return tensors.FromFlatDataAndDimensions(flat, n, n), off, nil
}

// String describes the coupling on one line.
func (e Entropic) String() string {
	e = e.WithDefaults()
	return fmt.Sprintf("Entropic{%g, %g, %d}", e.Epsilon, e.Tolerance, e.Iterations)
}

func (e Entropic) plan(source, target *tensors.Tensor) (plan []float64, n int, off float64, err error) {
	if err := e.Validate(); err != nil {
		return nil, 0, 0, err
	}
	costs, n, err := squaredDistances("Entropic", source, target)
	if err != nil {
		return nil, 0, 0, err
	}
	e = e.WithDefaults()
	s := newSinkhorn(costs, n, e.epsilon(costs), 1, 1)
	off = s.run(e)
	return s.plan(), n, off, nil
}

// epsilon is how much entropy counts for a batch with these costs.
func (e Entropic) epsilon(costs []float64) float64 {
	if e.Epsilon > 0 {
		return e.Epsilon
	}
	sum := 0.0
	for _, c := range costs {
		sum += c / float64(len(costs))
	}
	return max(sum/20, math.SmallestNonzeroFloat32) // all rows may be equal
}

// sinkhorn looks for the plan exp((f + g - cost)/ε)·u·v whose rows and columns add up to 1/n, or
// nearly where that is relaxed.
type sinkhorn struct {
	costs   []float64
	n       int
	epsilon float64

	// By which power of what an iteration would change rows and columns it does: 1, or
	// τ/(τ + ε) where sums that aren't 1/n cost τ times their divergence from it (Chizat et al.
	// 2018, arXiv:1607.05816, table 1).
	rowPower, columnPower float64

	f, g    []float64 // potentials of rows and columns
	kernel  []float64 // exp((f + g - cost)/ε)
	u, v    []float64 // scalings beside the potentials
	columns []float64 // what the columns of the kernel add up to with the rows' scalings
	stepped bool      // columns are known
}

func newSinkhorn(costs []float64, n int, epsilon, rowPower, columnPower float64) *sinkhorn {
	s := &sinkhorn{
		costs: costs, n: n, epsilon: epsilon, rowPower: rowPower, columnPower: columnPower,
		f: make([]float64, n), g: make([]float64, n), kernel: make([]float64, n*n),
		u: make([]float64, n), v: make([]float64, n), columns: make([]float64, n),
	}
	s.softly()
	return s
}

// softly makes an iteration by the logarithms of sums, which neither over- nor underflow, and
// the kernel of the new potentials.
func (s *sinkhorn) softly() {
	n, share := s.n, s.epsilon*math.Log(float64(s.n))
	for i := range n {
		costs, most := s.costs[i*n:(i+1)*n], math.Inf(-1)
		for j, c := range costs {
			most = max(most, s.g[j]-c)
		}
		sum := 0.0
		for j, c := range costs {
			sum += math.Exp((s.g[j] - c - most) / s.epsilon)
		}
		s.f[i] = -s.rowPower*(most+s.epsilon*math.Log(sum)) - share
	}
	// Columns at once, so that memory is read in order.
	most, sums := make([]float64, n), make([]float64, n)
	for j := range most {
		most[j] = math.Inf(-1)
	}
	for i, f := range s.f {
		for j, c := range s.costs[i*n : (i+1)*n] {
			most[j] = max(most[j], f-c)
		}
	}
	for i, f := range s.f {
		kernel := s.kernel[i*n : (i+1)*n]
		for j, c := range s.costs[i*n : (i+1)*n] {
			kernel[j] = math.Exp((f - c - most[j]) / s.epsilon)
			sums[j] += kernel[j]
		}
	}
	for j := range n {
		s.g[j] = -s.columnPower*(most[j]+s.epsilon*math.Log(sums[j])) - share
		sums[j] = math.Exp((s.g[j] + most[j]) / s.epsilon) // what the column lacks
		s.u[j], s.v[j] = 1, 1
	}
	for i := range n {
		kernel := s.kernel[i*n : (i+1)*n]
		for j, lacking := range sums {
			kernel[j] *= lacking
		}
	}
}

// run makes iterations until columns are within the tolerance, and returns by how much one is off.
func (s *sinkhorn) run(e Entropic) (off float64) {
	for range e.Iterations {
		if off = s.step(); off <= e.Tolerance {
			break
		}
	}
	return off
}

// scaling is that which a row or a column with the given potential gets, if it adds up to sum
// without one.
func (s *sinkhorn) scaling(sum, potential, power float64) float64 {
	if power == 1 {
		return 1 / float64(s.n) / sum
	}
	return math.Pow(sum, -power) * math.Exp((power-1)*potential/s.epsilon) / float64(s.n)
}

// step makes an iteration, after which the rows add up to what they should, and returns by how much
// a column is off, as a share of that.
func (s *sinkhorn) step() (off float64) {
	const far = 1e30 // of a scaling: from there on the potentials take it over
	n := s.n
	if s.stepped {
		for j, sum := range s.columns {
			s.v[j] = s.scaling(sum, s.g[j], s.columnPower)
		}
	}
	clear(s.columns)
	extreme := false
	for i := range n {
		row := s.kernel[i*n : (i+1)*n]
		u := s.scaling(dot(row, s.v), s.f[i], s.rowPower)
		extreme = extreme || !(u > 1/far && u < far)
		columns := s.columns[:len(row)]
		for j, k := range row {
			columns[j] += k * u
		}
		s.u[i] = u
	}
	for j, sum := range s.columns {
		extreme = extreme || !(s.v[j] > 1/far && s.v[j] < far)
		off = max(off, math.Abs(s.v[j]/s.scaling(sum, s.g[j], s.columnPower)-1))
	}
	if s.stepped = !extreme && !math.IsNaN(off); s.stepped {
		return off
	}
	for j, v := range s.v {
		if v > 0 && !math.IsInf(v, 1) {
			s.g[j] += s.epsilon * math.Log(v)
		}
	}
	s.softly()
	return math.Inf(1)
}

// dot is the inner product of two lists of one length, in four sums, none of which waits for another.
func dot(a, b []float64) float64 {
	var s0, s1, s2, s3 float64
	for len(a) >= 4 && len(b) >= 4 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		a, b = a[4:], b[4:]
	}
	for i, x := range a {
		s0 += x * b[i]
	}
	return s0 + s1 + s2 + s3
}

// plan is how much of each row goes with each column.
func (s *sinkhorn) plan() []float64 {
	plan := make([]float64, len(s.kernel))
	for i, u := range s.u {
		for j, v := range s.v {
			plan[i*s.n+j] = u * s.kernel[i*s.n+j] * v
		}
	}
	return plan
}

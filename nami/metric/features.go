package metric

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

const (
	waves          = 200  // random features
	mostQuadratic  = 20   // values of an event of which all products are features
	ridge          = 1e-3 // beside the features' mean square, which is about 1
	blockOfEvents  = 1024 // whose features are in memory at once
	mostForMedians = 500
)

// features turn an event into what a linear classifier sees: 1, its values in units of their
// spread, their products, and random waves (Rahimi & Recht 2007, "Random Features for Large-Scale
// Kernel Machines") of a half, once and twice the median distance of the events.
type features struct {
	mean, scale []float64
	pairs       [][2]int
	directions  *mat.Dense // [waves, size]
	phases      []float64
}

// newFeatures looks at the spread of the events, with their weights.
func newFeatures(random *rand.Rand, of events) *features {
	f := &features{mean: make([]float64, of.size), scale: make([]float64, of.size), directions: mat.NewDense(waves, of.size, nil)}
	for k := range of.size {
		f.mean[k], f.scale[k] = stat.PopMeanStdDev(of.column(k), of.weights)
		if !(f.scale[k] > 0) {
			f.scale[k] = 1 // a constant has no scale
		}
	}
	some := of.pick(random.Perm(of.count)[:min(of.count, mostForMedians)])
	for i := range some.count {
		f.standardise(some.row(i), some.row(i))
	}
	length := medianDistance(some, events{size: of.size})
	if !(length > 0) {
		length = 1
	}
	for w := range waves {
		for k := range of.size {
			f.directions.Set(w, k, random.NormFloat64()/length*[]float64{0.5, 1, 2}[w%3])
		}
		f.phases = append(f.phases, 2*math.Pi*random.Float64())
	}
	for k := range of.size {
		for j := range k + 1 {
			if j == k || of.size <= mostQuadratic {
				f.pairs = append(f.pairs, [2]int{j, k})
			}
		}
	}
	return f
}

func (f *features) standardise(row, out []float64) {
	for k, v := range row {
		out[k] = (v - f.mean[k]) / f.scale[k]
	}
}

func (f *features) count() int { return 1 + len(f.mean) + len(f.pairs) + waves }

// of are the features of events from first to end, [end-first, count].
func (f *features) of(e events, first, end int) *mat.Dense {
	n, d := end-first, len(f.mean)
	values := mat.NewDense(n, d, nil)
	for i := range n {
		f.standardise(e.row(first+i), values.RawRowView(i))
	}
	var angles mat.Dense
	angles.Mul(values, f.directions.T())
	out := mat.NewDense(n, f.count(), nil)
	for i := range n {
		row, z := out.RawRowView(i), values.RawRowView(i)
		row[0] = 1
		copy(row[1:], z)
		for p, pair := range f.pairs {
			// Bounded, so that events far out don't decide alone.
			row[1+d+p] = bounded(z[pair[0]]) * bounded(z[pair[1]])
		}
		for w, angle := range angles.RawRowView(i) {
			row[1+d+len(f.pairs)+w] = math.Sqrt2 * math.Cos(angle+f.phases[w])
		}
	}
	return out
}

func bounded(z float64) float64 { return max(-4, min(4, z)) }

// leastSquares are the coefficients, one column for each of the targets, of the linear function of
// the features that is nearest to the targets, with a small penalty on its squared coefficients.
func leastSquares(gram *mat.SymDense, targets *mat.Dense, total float64) (*mat.Dense, error) {
	for k := range gram.SymmetricDim() {
		gram.SetSym(k, k, gram.At(k, k)+ridge*total)
	}
	var cholesky mat.Cholesky
	if !cholesky.Factorize(gram) {
		return nil, fmt.Errorf("the %d features of the classifier have no least squares: are values of very different size?", gram.SymmetricDim())
	}
	var out mat.Dense
	return &out, cholesky.SolveTo(&out, targets)
}

package transform

import (
	"errors"
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"gonum.org/v1/gonum/mat"
)

// Whiten makes the columns of the last axis uncorrelated: y = Matrix·(x - Mean). Fitted, Matrix
// is P^(-1/2)·V^(-1/2), with the columns' correlations P and variances V: y has the covariance
// 1, each of its columns is correlated as closely as possible with the one that it comes from,
// and the units of columns don't matter (ZCA-cor in Kessy, Lewin & Strimmer 2018, "Optimal
// whitening and decorrelation", The American Statistician 72). The zero value is to be fitted:
// see [Fit].
type Whiten struct {
	Mean   []float64
	Matrix [][]float64 // row by row, one row for each column of y
}

var _ Fitter = Whiten{}

// Forward implements [Transform].
func (w Whiten) Forward(_ distribution.Random, x *Node) (y, logDet *Node) {
	p := w.parameters(x)
	return times(p.matrix, Sub(x, constant(x, w.Mean, []int{len(w.Mean)}))), p.logDet(x)
}

// Inverse implements [Transform].
func (w Whiten) Inverse(y *Node) (x, logDet *Node) {
	p := w.parameters(y)
	return Add(times(p.inverse, y), constant(y, w.Mean, []int{len(w.Mean)})), p.logDet(y)
}

// ModelShape implements [Transform].
func (w Whiten) ModelShape(event []int) ([]int, error) {
	if _, err := w.solved(); err != nil {
		return nil, err
	}
	if len(event) == 0 || event[len(event)-1] != len(w.Mean) {
		return nil, fmt.Errorf("transform.Whiten: an event has the shape %s: expected a last axis of the %d columns of Matrix", shape.Format(event), len(w.Mean))
	}
	return same(event), nil
}

// whitening is a matrix that was found to have an inverse.
type whitening struct {
	matrix, inverse *mat.Dense
	share           float64 // of the log-determinant, for each column
}

func (p whitening) logDet(x *Node) *Node { return everywhere(x, ConstAs(x, p.share)) }

func (w Whiten) parameters(x *Node) whitening {
	p, err := w.solved()
	must(err)
	if n := lastAxis("Whiten", x); n != len(w.Mean) {
		panic(fmt.Errorf("transform.Whiten: x is %s: expected a last axis of the %d columns of Matrix", x.Shape(), len(w.Mean)))
	}
	return p
}

// solved checks the parameters and inverts the matrix.
func (w Whiten) solved() (p whitening, err error) {
	n := len(w.Mean)
	if n == 0 && len(w.Matrix) == 0 {
		return p, errors.New("transform.Whiten: Mean and Matrix are empty: fit them with transform.Fit, or give them")
	}
	if len(w.Matrix) != n {
		return p, fmt.Errorf("transform.Whiten: Mean has %d values and Matrix %d rows: expected as many", n, len(w.Matrix))
	}
	p.matrix, p.inverse = mat.NewDense(n, n, nil), mat.NewDense(n, n, nil)
	for i, row := range w.Matrix {
		if len(row) != n {
			return p, fmt.Errorf("transform.Whiten: row %d of Matrix has %d values: expected %d, one for each value of Mean", i, len(row), n)
		}
		for j, v := range append([]float64{w.Mean[i]}, row...) {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return p, fmt.Errorf("transform.Whiten: row %d of Mean and Matrix holds %v: every value must be finite", i, v)
			}
			if j > 0 {
				p.matrix.Set(i, j-1, v)
			}
		}
	}
	if err := p.inverse.Inverse(p.matrix); err != nil {
		return p, fmt.Errorf("transform.Whiten: Matrix, %d by %d, has no inverse that float64 can hold: %w", n, n, err)
	}
	logDet, _ := mat.LogDet(p.matrix)
	p.share = logDet / float64(n)
	return p, nil
}

// times multiplies the rows of the last axis of x by a matrix.
func times(m *mat.Dense, x *Node) *Node {
	n, _ := m.Dims()
	matrix := Reshape(ConstAsDType(x.Graph(), x.DType(), mat.DenseCopyOf(m.T()).RawMatrix().Data), n, n)
	return Reshape(Dot(Reshape(x, -1, n), matrix).MatMul(), x.Shape().Dimensions...)
}

// Fit implements [Fitter]: mean and covariance of the columns, over all rows of all events,
// with weights as [Standardize] has them. It is an error if a column is constant, or is a
// linear combination of others.
func (w Whiten) Fit(d Data) (Transform, error) {
	if len(w.Mean) > 0 || len(w.Matrix) > 0 {
		_, err := w.solved()
		return w, err
	}
	m, err := d.moments(false)
	if err != nil {
		return nil, fmt.Errorf("transform.Whiten: %w", err)
	}
	matrix, err := m.whitening()
	if err != nil {
		return nil, fmt.Errorf("transform.Whiten: %w", err)
	}
	return Whiten{Mean: m.mean, Matrix: matrix}, nil
}

package transform

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/mat"
)

// moments are the weighted means of the data's columns, or of its values, and what their
// variances and covariances are computed from.
type moments struct {
	data     Data
	rows     rows
	mean     []float64
	constant []bool
	weights  float64 // Σw
	squares  float64 // Σw²
}

// moments measures the columns of the last axis over all rows, or the values of the event.
func (d Data) moments(perValue bool) (m moments, err error) {
	rows, err := d.rows()
	if err != nil {
		return m, err
	}
	if perValue {
		if d.Mask != nil {
			return m, errors.New("PerValue is set and the data has a mask, Data.Mask: padded events have no value at each place; fit their columns instead")
		}
		rows.width = rows.perEvent
	}
	m = moments{data: d, rows: rows, mean: make([]float64, rows.width), constant: make([]bool, rows.width)}
	var first []float64
	n := 0
	rows.each(func(w float64, x []float64) {
		if n++; n == 1 {
			first = append(first, x...)
			for j := range m.constant {
				m.constant[j] = true
			}
		}
		m.weights, m.squares = m.weights+w, m.squares+w*w
		for j, v := range x {
			m.constant[j] = m.constant[j] && v == first[j]
		}
	})
	if n < 2 {
		return m, fmt.Errorf("the data is %s, and %d of its rows count: a standard deviation needs at least 2", d.X.Shape(), n)
	}
	if !(m.weights*m.weights > m.squares) {
		return m, fmt.Errorf("the weights make an effective number of %.4g rows, (Σw)²/Σw² with Σw = %g: a standard deviation needs more than 1", m.weights*m.weights/math.Max(m.squares, math.SmallestNonzeroFloat64), m.weights)
	}
	rows.each(func(w float64, x []float64) {
		for j, v := range x {
			m.mean[j] += w * v
		}
	})
	for j, constant := range m.constant {
		m.mean[j] /= m.weights
		if constant { // the rounding of a mean must not make a spread
			m.mean[j] = first[j]
		}
	}
	return m, nil
}

// spread refuses a column that is constant.
func (m moments) spread() error {
	if j := slices.Index(m.constant, true); j >= 0 {
		return fmt.Errorf("%s is %v in every row: it has no spread and no density; leave it out, or give its parameters", m.name(j), m.mean[j])
	}
	return nil
}

// name is what column j of the last axis, or value j of the event, is called.
func (m moments) name(j int) string {
	if m.rows.width != m.data.width() {
		return fmt.Sprintf("value %d of the event", j)
	}
	return fmt.Sprintf("column %d", m.data.column(j))
}

// divisor makes the second moments unbiased: n-1 where all weights are 1.
func (m moments) divisor() float64 { return m.weights - m.squares/m.weights }

// variances are those of the columns, 0 for those that are constant.
func (m moments) variances() ([]float64, error) {
	v := make([]float64, len(m.mean))
	m.rows.each(func(w float64, x []float64) {
		for j, x := range x {
			v[j] += w * (x - m.mean[j]) * (x - m.mean[j])
		}
	})
	for j := range v {
		v[j] /= m.divisor()
		variance := v[j]
		if m.constant[j] {
			continue
		}
		if !(variance > 0) || math.IsInf(variance, 0) {
			return nil, fmt.Errorf("the variance of %s is %g: it must be positive and finite; are there negative weights, or values that are too large or too close to each other?", m.name(j), variance)
		}
	}
	return v, nil
}

// whitening is P^(-1/2)·V^(-1/2), with the columns' correlations P and variances V.
func (m moments) whitening() ([][]float64, error) {
	if err := m.spread(); err != nil {
		return nil, err
	}
	variances, err := m.variances()
	if err != nil {
		return nil, err
	}
	n := len(variances)
	correlation, dx := mat.NewSymDense(n, nil), mat.NewVecDense(n, nil)
	m.rows.each(func(w float64, x []float64) {
		for j, x := range x {
			dx.SetVec(j, (x-m.mean[j])/math.Sqrt(variances[j]))
		}
		correlation.SymRankOne(correlation, w/m.divisor(), dx)
	})
	var eigen mat.EigenSym
	if !eigen.Factorize(correlation, true) {
		return nil, errors.New("the eigenvalues of the columns' correlations weren't found: are there values that are very large?")
	}
	if least := eigen.Values(nil)[0]; !(least > 1e-10) {
		var vectors mat.Dense
		eigen.VectorsTo(&vectors)
		return nil, fmt.Errorf("the smallest eigenvalue of the columns' correlations is %.3g: %s; leave one of them out", least, m.dependent(&vectors))
	}
	root := mat.NewSymDense(n, nil)
	if err := root.PowPSD(correlation, -0.5); err != nil {
		return nil, fmt.Errorf("the correlations of the columns have no inverse root: %w", err)
	}
	matrix := make([][]float64, n)
	for i := range matrix {
		for j := range n {
			matrix[i] = append(matrix[i], root.At(i, j)/math.Sqrt(variances[j]))
		}
	}
	return matrix, nil
}

// dependent names the columns that depend on each other: those of the first eigenvector.
func (m moments) dependent(vectors *mat.Dense) string {
	var names []string
	for j := range m.mean {
		if math.Abs(vectors.At(j, 0)) > 1e-3 {
			names = append(names, m.name(j))
		}
	}
	return strings.Join(names, ", ") + " depend linearly on each other"
}

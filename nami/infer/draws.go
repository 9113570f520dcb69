package infer

import (
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/data"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/stat"
)

// Draws are samples of a posterior.
type Draws struct {
	// Parameters are the names of the parameters.
	Parameters []string

	// Theta has a row for each draw.
	Theta [][]float64

	// Leakage is the part of the draws that lay outside the prior's support, and were made again.
	Leakage float64
}

// Column has the draws of one parameter.
func (d *Draws) Column(name string) ([]float64, error) {
	j := slices.Index(d.Parameters, name)
	if j < 0 {
		return nil, fmt.Errorf("infer: there is no parameter %q: there are %q", name, d.Parameters)
	}
	column := make([]float64, len(d.Theta))
	for i, theta := range d.Theta {
		column[i] = theta[j]
	}
	return column, nil
}

// Interval is where a parameter lies with the given probability, between equal tails: with 0.9
// between the quantiles of 0.05 and 0.95.
func (d *Draws) Interval(name string, probability float64) (low, high float64, err error) {
	if !(probability > 0 && probability < 1) {
		return 0, 0, fmt.Errorf("infer: the probability is %v: expected a number between 0 and 1", probability)
	}
	column, err := d.Column(name)
	if err != nil {
		return 0, 0, err
	}
	slices.Sort(column)
	tail := (1 - probability) / 2
	return stat.Quantile(tail, stat.LinInterp, column, nil), stat.Quantile(1-tail, stat.LinInterp, column, nil), nil
}

// Tensor has the draws as events of shape [n, d], of Float32.
func (d *Draws) Tensor() *tensors.Tensor { return tensorOf(d.Theta, len(d.Parameters)) }

// Table has a column for each parameter.
func (d *Draws) Table() (*data.Table, error) {
	columns := make([]data.Column, len(d.Parameters))
	for j, name := range d.Parameters {
		column, err := d.Column(name)
		if err != nil {
			return nil, err
		}
		columns[j] = data.NewColumn(name, column)
	}
	return data.NewTable(columns...)
}

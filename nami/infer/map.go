package infer

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Sizes of the search for the largest density.
const (
	mapDraws  = 500 // to begin with, and in each round
	mapElite  = 50  // that say where to search next
	mapRounds = 20
)

// MAP is where the posterior's density is largest, given an observation (maximum a posteriori), and
// its log-density there. It depends on the units of the parameters: the mode of a rate isn't that of
// its logarithm. Of several modes it finds the highest in most cases. It looks between the quantiles
// of 0.005 and 0.995 of each parameter's draws: beyond them too few simulations say what the density
// is. A density that rises towards a bound has its largest value there.
//
// It begins with the best of 500 draws, and narrows a normal distribution around the best
// points, in the model's units, down to a thousandth of the posterior's width (the cross-entropy
// method, Rubinstein 1999, doi:10.1023/A:1010091220143).
func (p *Posterior) MAP(ctx context.Context, observed []float64) (theta []float64, logProb float64, err error) {
	draws, err := p.Sample(ctx, observed, mapDraws)
	if err != nil {
		return nil, 0, err
	}
	points := make([][]float64, mapDraws)
	for i, t := range draws.Theta {
		points[i] = p.support.forward(t)
	}
	width := deviations(points)
	low, high := quantiles(points, 0.005), quantiles(points, 0.995)
	for _, z := range points {
		clamp(z, low, high)
	}
	random := rand.New(rand.NewPCG(1, 0))
	var best []float64
	logProb = math.Inf(-1)
	for round := range mapRounds {
		rows := make([][]float64, len(points))
		for i, z := range points {
			rows[i] = p.support.inverse(z)
		}
		values, err := p.LogProb(ctx, observed, rows)
		if err != nil {
			return nil, 0, err
		}
		order := make([]int, len(values))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(i, j int) int { return cmp.Compare(values[j], values[i]) })
		if top := order[0]; values[top] > logProb {
			logProb, best, theta = values[top], points[top], rows[top]
		}
		elite := make([][]float64, mapElite)
		for i := range elite {
			elite[i] = points[order[i]]
		}
		// Of the draws only the best one says where: there may be several modes.
		centre, around := best, scaled(width, 0.1)
		if round > 0 {
			around = deviations(elite)
		}
		narrow := true
		for j, s := range around {
			narrow = narrow && s < 1e-3*width[j]
		}
		if narrow {
			break
		}
		for i := range points {
			points[i] = make([]float64, len(centre))
			for j := range centre {
				points[i][j] = centre[j] + around[j]*random.NormFloat64()
			}
			clamp(points[i], low, high)
		}
	}
	return theta, logProb, nil
}

// quantiles are those of the columns.
func quantiles(rows [][]float64, p float64) []float64 {
	out := make([]float64, len(rows[0]))
	column := make([]float64, len(rows))
	for j := range out {
		for i, row := range rows {
			column[i] = row[j]
		}
		slices.Sort(column)
		out[j] = stat.Quantile(p, stat.LinInterp, column, nil)
	}
	return out
}

// clamp moves z between low and high.
func clamp(z, low, high []float64) {
	for j := range z {
		z[j] = min(max(z[j], low[j]), high[j])
	}
}

// scaled is x times a factor.
func scaled(x []float64, by float64) []float64 {
	out := slices.Clone(x)
	for i := range out {
		out[i] *= by
	}
	return out
}

// deviations are the standard deviations of the columns.
func deviations(rows [][]float64) []float64 {
	out := make([]float64, len(rows[0]))
	column := make([]float64, len(rows))
	for j := range out {
		for i, row := range rows {
			column[i] = row[j]
		}
		out[j] = stat.StdDev(column, nil)
	}
	return out
}

// forward maps parameters between bounds to all numbers, as the model does, on the host.
func (s support) forward(theta []float64) []float64 {
	z := slices.Clone(theta)
	for j, x := range theta {
		switch below, above := math.IsInf(s.low[j], -1), math.IsInf(s.high[j], 1); {
		case !below && !above:
			u := min(max((x-s.low[j])/(s.high[j]-s.low[j]), 1e-6), 1-1e-6)
			z[j] = distuv.UnitNormal.Quantile(u)
		case !below:
			z[j] = math.Log(max(x-s.low[j], math.SmallestNonzeroFloat32))
		}
	}
	return z
}

// inverse is the way back.
func (s support) inverse(z []float64) []float64 {
	theta := slices.Clone(z)
	for j, v := range z {
		switch below, above := math.IsInf(s.low[j], -1), math.IsInf(s.high[j], 1); {
		case !below && !above:
			theta[j] = s.low[j] + (s.high[j]-s.low[j])*distuv.UnitNormal.CDF(v)
		case !below:
			theta[j] = s.low[j] + math.Exp(v)
		}
	}
	return theta
}

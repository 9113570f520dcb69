package metric

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"
)

// EnergyDistance returns 2E|X−Y| − E|X−X′| − E|Y−Y′| for two samples, with Euclidean
// distances of the flattened events and averages over all pairs, an event with itself
// among them (Székely and Rizzo 2013, J. Stat. Plan. Inference 143). It is 0 for equal
// samples and positive otherwise, and has no parameters. x and y are float32 or float64
// [n]+event and [m]+event with n and m at least 1; [Weights] weigh their events.
//
// Every pair is compared, on all processors, in O((n+m)²·size) time; no table of them is kept.
// Errors are as for [Nearest].
func EnergyDistance(x, y *tensors.Tensor, settings ...Option) (float64, error) {
	a, b, err := readPair("EnergyDistance", x, y, settings)
	if err != nil {
		return 0, err
	}
	v, err := discrepancy(context.Background(), a, b, negativeDistance)
	if err != nil {
		return 0, fmt.Errorf("metric.EnergyDistance: %w", err)
	}
	return result("EnergyDistance", v)
}

// MMD returns the maximum mean discrepancy of two samples for the Gaussian kernel
// exp(−|x−y|²/(2h²)): the root of E k(X,X′) + E k(Y,Y′) − 2E k(X,Y) over all pairs, an
// event with itself among them (Gretton et al. 2012, JMLR 13, eq. 5). A bandwidth h of 0
// stands for the median distance of the pairs of up to 500 events of both samples
// together, taken at equal intervals, whatever their weights; or for 1 if that is 0, as when
// more than half of the pairs are of equal events. x and y are float32 or float64 [n]+event and
// [m]+event with n and m at least 1; [Weights] weigh their events. It lies between 0 and √2,
// but can be larger with negative weights.
//
// Time and errors are those of [EnergyDistance]; a bandwidth that is negative or not finite is
// an error, too.
func MMD(x, y *tensors.Tensor, bandwidth float64, settings ...Option) (float64, error) {
	a, b, err := readPair("MMD", x, y, settings)
	if err != nil {
		return 0, err
	}
	k, err := gaussian(a, b, bandwidth)
	if err != nil {
		return 0, fmt.Errorf("metric.MMD: %w", err)
	}
	squared, err := discrepancy(context.Background(), a, b, k)
	if err != nil {
		return 0, fmt.Errorf("metric.MMD: %w", err)
	}
	return result("MMD", math.Sqrt(squared))
}

// EnergyDistance tests by [EnergyDistance]. Of more than 1,000 events in all, the null distribution is
// that of 1,000 of them, in units of its mean, 1/n + 1/m with effective numbers: it has the same
// shape for any large samples.
func (t Tests) EnergyDistance(ctx context.Context, x, y *tensors.Tensor, settings ...Option) (Test, error) {
	a, b, err := readPair("Tests.EnergyDistance", x, y, settings)
	if err != nil {
		return Test{}, err
	}
	test, err := t.energy(ctx, a, b)
	if err != nil {
		return Test{}, fmt.Errorf("metric.Tests.EnergyDistance: %w", err)
	}
	return test, nil
}

func (t Tests) energy(ctx context.Context, a, b events) (Test, error) {
	return t.kernel(ctx, "energy distance", a, b, negativeDistance, func(v float64) float64 { return v })
}

// MMD tests by [MMD], with the null distribution as [Tests.EnergyDistance] has it, of one bandwidth
// for all splits.
func (t Tests) MMD(ctx context.Context, x, y *tensors.Tensor, bandwidth float64, settings ...Option) (Test, error) {
	a, b, err := readPair("Tests.MMD", x, y, settings)
	if err != nil {
		return Test{}, err
	}
	test, err := t.mmd(ctx, a, b, bandwidth)
	if err != nil {
		return Test{}, fmt.Errorf("metric.Tests.MMD: %w", err)
	}
	return test, nil
}

func (t Tests) mmd(ctx context.Context, a, b events, bandwidth float64) (Test, error) {
	k, err := gaussian(a, b, bandwidth)
	if err != nil {
		return Test{}, err
	}
	return t.kernel(ctx, "maximum mean discrepancy", a, b, k, math.Sqrt)
}

// kernel is the test by a discrepancy, as its value is shown.
func (t Tests) kernel(ctx context.Context, name string, a, b events, k kernel, show func(float64) float64) (Test, error) {
	value, err := discrepancy(ctx, a, b, k)
	if err == nil {
		value, err = finiteResult(show(value))
	}
	if err != nil {
		return Test{}, err
	}
	null, err := t.kernelNull(ctx, a, b, k)
	if err != nil {
		return Test{}, err
	}
	for i, v := range null {
		null[i] = show(v)
	}
	return Test{Name: name, Value: value, Means: apart}.counted(null, above), nil
}

// kernelNull are discrepancies of random splits. A split is a vector of weights, negative in the
// second sample, and its discrepancy is a quadratic form of it, so that all splits go through the
// kernel's matrix at once, some rows at a time.
func (t Tests) kernelNull(ctx context.Context, a, b events, k kernel) ([]float64, error) {
	a, b, larger := t.some(a, b, mostPermuted)
	all := joined(a, b)
	splits, err := t.splits(all, a.count)
	if err != nil {
		return nil, err
	}
	signed := mat.NewDense(all.count, splits.count, nil)
	firsts, scales, err := splits.labels(ctx)
	if err != nil {
		return nil, err
	}
	for p, first := range firsts {
		for e, in := range first {
			w := -scales[p][1]
			if in == 1 {
				w = scales[p][0]
			}
			if all.weights != nil {
				w *= all.weights[e]
			}
			signed.Set(e, p, w)
		}
	}
	columns := all.columns()
	null := make([]float64, splits.count)
	const block = 256
	for at := 0; at < all.count; at += block {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		rows := mat.NewDense(min(block, all.count-at), all.count, nil)
		n, _ := rows.Dims()
		each(n, func(i int) {
			squaredDistances(all.row(at+i), columns, 0, rows.RawRowView(i))
			k(rows.RawRowView(i))
		})
		var sums mat.Dense
		sums.Mul(rows, signed)
		for i := range n {
			w := signed.RawRowView(at + i)
			for p, v := range sums.RawRowView(i) {
				null[p] += w[p] * v
			}
		}
	}
	for p := range null {
		null[p] = max(0, null[p]) / larger
	}
	return null, nil
}

// kernel turns squared distances into similarities.
type kernel func(squared []float64)

func negativeDistance(squared []float64) {
	for i, s := range squared {
		squared[i] = -math.Sqrt(s)
	}
}

func gaussian(a, b events, bandwidth float64) (kernel, error) {
	if !(bandwidth >= 0) || math.IsInf(bandwidth, 0) {
		return nil, fmt.Errorf("bandwidth %g: give a positive length, or 0 for the median distance", bandwidth)
	}
	if bandwidth == 0 {
		bandwidth = medianDistance(a, b)
		if bandwidth == 0 {
			bandwidth = 1 // the data have no scale
		}
	}
	scale := -1 / (2 * bandwidth * bandwidth)
	return func(squared []float64) {
		for i, s := range squared {
			squared[i] = math.Exp(s * scale)
		}
	}, nil
}

// discrepancy is E k(X,X′) + E k(Y,Y′) − 2E k(X,Y); rounding doesn't make it negative.
func discrepancy(ctx context.Context, a, b events, k kernel) (float64, error) {
	sum := 0.0
	for _, part := range []struct {
		factor float64
		a, b   events
		same   bool
	}{{1, a, a, true}, {1, b, b, true}, {-2, a, b, false}} {
		mean, err := meanOver(ctx, part.a, part.b, part.same, k)
		if err != nil {
			return 0, err
		}
		sum += part.factor * mean
	}
	if sum < 0 {
		return 0, nil
	}
	return sum, nil
}

// meanOver is the mean of k over all pairs; if b is a, each pair is computed once.
func meanOver(ctx context.Context, a, b events, same bool, k kernel) (float64, error) {
	const block = 512 // stays in the fastest memory
	columns := b.columns()
	sums := make([]float64, a.count) // added in order, so that the sum doesn't depend on timing
	err := eachUntil(ctx, a.count, func(i int) {
		var buffer [block]float64
		end, row := b.count, a.row(i)
		if same {
			end = i + 1
		}
		sum := 0.0
		for at := 0; at < end; at += block {
			part := buffer[:min(block, end-at)]
			squaredDistances(row, columns, at, part)
			k(part)
			if same && at+len(part) == end {
				part[len(part)-1] /= 2 // the event itself, once
			}
			if b.weights == nil {
				for _, v := range part {
					sum += v
				}
				continue
			}
			for j, v := range part {
				sum += b.weights[at+j] * v
			}
		}
		if b.weights == nil {
			sum /= float64(b.count)
		}
		if same {
			sum *= 2
		}
		sums[i] = sum * a.weight(i)
	})
	sum := 0.0
	for _, s := range sums {
		sum += s
	}
	return sum, err
}

// squaredDistances are those of a row to the events from first on, as many as out holds.
func squaredDistances(row []float64, columns [][]float64, first int, out []float64) {
	for k, v := range row {
		column := columns[k][first : first+len(out)]
		if k == 0 {
			for j, w := range column {
				out[j] = (v - w) * (v - w)
			}
			continue
		}
		for j, w := range column {
			out[j] += (v - w) * (v - w)
		}
	}
}

func squaredDistance(a, b []float64) (sum float64) {
	for k, v := range a {
		d := v - b[k]
		sum += d * d
	}
	return sum
}

func medianDistance(a, b events) float64 {
	const most = 500
	all := events{flat: slices.Concat(a.flat, b.flat), count: a.count + b.count, size: a.size}
	stride := (all.count + most - 1) / most
	var distances []float64
	for i := 0; i < all.count; i += stride {
		for j := 0; j < i; j += stride {
			distances = append(distances, squaredDistance(all.row(i), all.row(j)))
		}
	}
	if len(distances) == 0 { // of one event
		return 0
	}
	slices.Sort(distances)
	middle := len(distances) / 2
	if len(distances)%2 == 1 {
		return math.Sqrt(distances[middle])
	}
	return (math.Sqrt(distances[middle-1]) + math.Sqrt(distances[middle])) / 2
}

package train

import (
	"errors"
	"fmt"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// numbers are those from first to end, exclusive.
func numbers(first, end int) []int {
	n := make([]int, 0, end-first)
	for i := first; i < end; i++ {
		n = append(n, i)
	}
	return n
}

// stacked are the rows of all parts in one tensor: the part itself if it is the only one.
func stacked(parts []*tensors.Tensor) (*tensors.Tensor, error) {
	if len(parts) == 1 {
		return parts[0], nil
	}
	dims := append([]int{}, parts[0].Shape().Dimensions...)
	dims[0] *= len(parts)
	whole := tensors.FromShape(shapes.Make(parts[0].DType(), dims...))
	var reading error
	writing := whole.MutableBytes(func(to []byte) {
		for _, part := range parts {
			reading = errors.Join(reading, part.ConstBytes(func(from []byte) { to = to[copy(to, from):] }))
		}
	})
	return whole, errors.Join(reading, writing)
}

// joined are the events of all batches, which have the same parts and shapes.
func joined(batches []data.Events) (all data.Events, err error) {
	if len(batches) == 1 {
		return batches[0], nil
	}
	to := map[string]**tensors.Tensor{"data": &all.X, "context": &all.Context, "mask": &all.Mask, "weight": &all.Weight}
	for at, first := range batches[0].Parts() {
		var parts []*tensors.Tensor
		for _, batch := range batches {
			parts = append(parts, batch.Parts()[at].Value)
		}
		if *to[first.Name], err = stacked(parts); err != nil {
			return all, err
		}
	}
	return all, nil
}

// clearPadding sets the objects of events x to zero that a mask leaves out.
func clearPadding(x, mask *tensors.Tensor) error {
	keep, err := objects(mask)
	return errors.Join(err, x.MutableBytes(func(raw []byte) {
		size := len(raw) / len(keep)
		for i, kept := range keep {
			if !kept {
				clear(raw[i*size : (i+1)*size])
			}
		}
	}))
}

// objects says of each object of each event whether there is one.
func objects(mask *tensors.Tensor) ([]bool, error) {
	keep := make([]bool, mask.Size())
	err := gomlx.EachFloat(mask, func(i int, v float64) { keep[i] = v != 0 })
	return keep, err
}

// byMask are the rows of equal masks, in the order of their first ones.
func byMask(mask *tensors.Tensor) (groups [][]int, err error) {
	keep, err := objects(mask)
	size := mask.Shape().Dimensions[1]
	known := map[string]int{}
	for i := range len(keep) / size {
		key := fmt.Sprint(keep[i*size : (i+1)*size])
		group, ok := known[key]
		if !ok {
			group, known[key] = len(groups), len(groups)
			groups = append(groups, nil)
		}
		groups[group] = append(groups[group], i)
	}
	return groups, err
}

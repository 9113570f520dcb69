package nami

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/gomlx/core/tensors"
)

// takeRows copies n rows of t from number first on, around its end to its beginning, into
// a tensor of shape [n]+row. t has count rows, of the shape of its last axes.
func takeRows(t *tensors.Tensor, count, first, n int, row []int) (*tensors.Tensor, error) {
	shape := t.Shape().Clone()
	shape.Dimensions = append([]int{n}, row...)
	out := tensors.FromShape(shape)
	size := int(t.ByteSize()) / count
	err := t.ConstBytes(func(from []byte) {
		err := out.MutableBytes(func(to []byte) {
			for i := 0; i < n; {
				at := (first + i) % count
				run := min(n-i, count-at)
				copy(to[i*size:(i+run)*size], from[at*size:])
				i += run
			}
		})
		if err != nil {
			panic(err) // out was made just now
		}
	})
	return out, err
}

// putRows copies the rows of a chunk that count into to, from row first on: in from and in to
// alike an axis of times, or none and times is 1, stands before that of the rows.
func putRows(to *tensors.Tensor, first int, from *tensors.Tensor, times int, c chunk) error {
	if err := from.ToLocal(); err != nil {
		return err
	}
	size := int(from.ByteSize()) / (times * c.n)
	frame := int(to.ByteSize()) / times
	return from.ConstBytes(func(source []byte) {
		err := to.MutableBytes(func(target []byte) {
			for k := range times {
				copy(target[k*frame+first*size:], source[k*c.n*size:(k*c.n+c.keep)*size])
			}
		})
		if err != nil {
			panic(err) // to was made by us, on the host
		}
	})
}

// checkFinite is an error that says how many values of t are NaN or infinite.
func checkFinite(what string, t *tensors.Tensor) error {
	bad, first, err := gomlx.NonFinite(t)
	if err == nil && bad > 0 {
		err = fmt.Errorf("nami: %d of %d values of the %s, of shape %s, are NaN or infinite, the first at flat index %d",
			bad, t.Size(), what, t.Shape(), first)
	}
	return err
}

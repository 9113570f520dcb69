package run

import (
	"github.com/gomlx/gomlx/core/tensors"
)

// Chunk is N rows from number First on, of which Keep count, as the last chunk of several
// is filled up to the size of the others: one compiled program serves all.
type Chunk struct {
	First, N, Keep int
	Inputs         Inputs[tensors.Tensor] // those of the rows
}

// TakeRows copies n rows of t from number first on, around its end to its beginning, into
// a tensor of shape [n]+row. t has count rows, of the shape of its last axes.
func TakeRows(t *tensors.Tensor, count, first, n int, row []int) (*tensors.Tensor, error) {
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

// PutRows copies the rows of a chunk that count into to, from row first on: in from and in to
// alike an axis of times, or none and times is 1, stands before that of the rows.
func PutRows(to *tensors.Tensor, first int, from *tensors.Tensor, times int, c Chunk) error {
	if err := from.ToLocal(); err != nil {
		return err
	}
	size := int(from.ByteSize()) / (times * c.N)
	frame := int(to.ByteSize()) / times
	return from.ConstBytes(func(source []byte) {
		err := to.MutableBytes(func(target []byte) {
			for k := range times {
				copy(target[k*frame+first*size:], source[k*c.N*size:(k*c.N+c.Keep)*size])
			}
		})
		if err != nil {
			panic(err) // to was made by us, on the host
		}
	})
}

// AddRows adds the first n rows of from to the rows of to, which has count, from row first
// on, around its end to its beginning.
func AddRows(to *tensors.Tensor, count, first int, from *tensors.Tensor, n int) error {
	if err := from.ToLocal(); err != nil {
		return err
	}
	size := to.Size() / count
	return from.ConstFlatData(func(source any) {
		to.MustMutableFlatData(func(target any) {
			for i := range n {
				at := (first + i) % count
				for j := range size {
					switch target := target.(type) {
					case []float32:
						target[at*size+j] += source.([]float32)[i*size+j]
					case []float64:
						target[at*size+j] += source.([]float64)[i*size+j]
					}
				}
			}
		})
	})
}

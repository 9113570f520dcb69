package data

import (
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"
)

// OneHot returns labels as float32 [len(labels), classes]: 1 in the column of the
// label, 0 elsewhere, the context on which a conditional field is trained. A label
// outside 0 … classes-1 and classes below 1 are errors.
func OneHot(labels []int, classes int) (*tensors.Tensor, error) {
	if classes < 1 {
		return nil, fmt.Errorf("data.OneHot: classes is %d: give the number of classes, 1 or more", classes)
	}
	flat := make([]float32, len(labels)*classes)
	for i, label := range labels {
		if label < 0 || label >= classes {
			return nil, fmt.Errorf("data.OneHot: labels[%d] is %d: with %d classes a label is from 0 to %d", i, label, classes, classes-1)
		}
		flat[i*classes+label] = 1
	}
	return tensors.FromFlatDataAndDimensions(flat, len(labels), classes), nil
}

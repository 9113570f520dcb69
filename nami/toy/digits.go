package toy

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/csv"
	"fmt"
	"strconv"

	"github.com/gomlx/gomlx/core/tensors"
)

//go:embed digits.csv.gz
var digitsFile []byte

const (
	digitSide    = 8
	digitLevels  = 16
	digitClasses = 10
	digitPixels  = digitSide * digitSide
)

// DigitSet is a set of handwritten digits; row i of Images shows Labels[i].
type DigitSet struct {
	// Images is float32 [n, 8, 8, 1], from -1 (paper) to 1 (ink).
	Images *tensors.Tensor
	// Labels are the digits 0 to 9.
	Labels []int
}

// Digits returns the 1,797 images of the test part of "Optical Recognition of
// Handwritten Digits" by E. Alpaydin and C. Kaynak (1998, UCI Machine Learning
// Repository, doi:10.24432/C50P49), licensed under CC BY 4.0, with grey values
// scaled from 0…16 to [-1, 1]. The data is embedded in the program.
func Digits() (DigitSet, error) {
	set, err := readDigits(digitsFile)
	if err != nil {
		return DigitSet{}, fmt.Errorf("toy.Digits: the embedded digits.csv.gz is damaged, restore it and build again: %w", err)
	}
	return set, nil
}

func readDigits(compressed []byte) (DigitSet, error) {
	file, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return DigitSet{}, err
	}
	reader := csv.NewReader(file)
	reader.FieldsPerRecord = digitPixels + 1
	rows, err := reader.ReadAll()
	if err != nil {
		return DigitSet{}, err
	}
	if len(rows) == 0 {
		return DigitSet{}, fmt.Errorf("no rows, expected %d grey values and a label in each", digitPixels)
	}
	pixels := make([]float32, 0, len(rows)*digitPixels)
	labels := make([]int, 0, len(rows))
	for i, row := range rows {
		for _, field := range row[:digitPixels] {
			grey, err := strconv.ParseFloat(field, 32)
			if err != nil || !(grey >= 0 && grey <= digitLevels) {
				return DigitSet{}, fmt.Errorf("row %d: grey value %q, expected a number from 0 to %d", i+1, field, digitLevels)
			}
			pixels = append(pixels, float32(2*grey/digitLevels-1))
		}
		label, err := strconv.ParseFloat(row[digitPixels], 64)
		if err != nil || label != float64(int(label)) || label < 0 || label >= digitClasses {
			return DigitSet{}, fmt.Errorf("row %d: label %q, expected a digit from 0 to %d", i+1, row[digitPixels], digitClasses-1)
		}
		labels = append(labels, int(label))
	}
	images := tensors.FromFlatDataAndDimensions(pixels, len(rows), digitSide, digitSide, 1)
	return DigitSet{Images: images, Labels: labels}, nil
}

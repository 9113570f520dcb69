package toy

import (
	"fmt"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"
)

// Poisson draws a number of points with the given mean, as an experiment that counts for a
// fixed time would see. The counts of a mixture's labels among so many points are Poisson
// too, and independent. It is an error if the mean is negative or above 1e9.
func Poisson(seed int64, mean float64) (int, error) {
	if !(mean >= 0 && mean <= 1e9) {
		return 0, fmt.Errorf("toy.Poisson: the mean is %g: the expected number of points must be from 0 to 1e9", mean)
	}
	if mean == 0 {
		return 0, nil
	}
	return int(distuv.Poisson{Lambda: mean, Src: rand.NewPCG(uint64(seed), poissonStream)}.Rand()), nil
}

const poissonStream = 0x706f6973736f6e // "poisson"

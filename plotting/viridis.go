package plotting

import (
	"image/color"
	"math"
)

// viridisStops are matplotlib's viridis at ninths.
var viridisStops = [10][3]float64{
	{68, 1, 84},
	{72, 40, 120},
	{62, 74, 137},
	{49, 104, 142},
	{38, 130, 142},
	{31, 158, 137},
	{53, 183, 121},
	{109, 205, 89},
	{180, 222, 44},
	{253, 231, 37},
}

// viridis is matplotlib's colour map, linear between ten of its colours.
func viridis(v float64) color.NRGBA {
	at := v * float64(len(viridisStops)-1)
	i := min(int(at), len(viridisStops)-2)
	var c [3]uint8
	for k := range c {
		c[k] = uint8(math.Round(viridisStops[i][k] + (at-float64(i))*(viridisStops[i+1][k]-viridisStops[i][k])))
	}
	return color.NRGBA{c[0], c[1], c[2], 255}
}

package plotting

import (
	"fmt"
	"image/color"
	"math"
)

// viridisStops are matplotlib's viridis at ninths.
var viridisStops = [][3]float64{
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

// divergingStops go through Okabe and Ito's blue and vermilion, as light on both sides.
var divergingStops = [][3]float64{
	{0, 54, 92},
	{0, 114, 178},
	{140, 190, 222},
	{246, 246, 246},
	{244, 176, 128},
	{213, 94, 0},
	{112, 42, 0},
}

// viridis is matplotlib's colour map, linear between ten of its colours, for 0 to 1.
func viridis(v float64) color.NRGBA { return between(viridisStops, v) }

// diverging is a colour map for −1 to 1.
func diverging(v float64) color.NRGBA { return between(divergingStops, (v+1)/2) }

func between(stops [][3]float64, v float64) color.NRGBA {
	at := v * float64(len(stops)-1)
	i := max(0, min(int(at), len(stops)-2))
	var c [3]uint8
	for k := range c {
		c[k] = uint8(math.Round(stops[i][k] + (at-float64(i))*(stops[i+1][k]-stops[i][k])))
	}
	return color.NRGBA{c[0], c[1], c[2], 255}
}

// shading gives values colours.
type shading struct {
	over           span
	diverging, log bool
}

// shading is that of values over a range, unless ValueRange asked for another one.
func (s settings) shading(over span) (shading, error) {
	switch {
	case !s.values.isEmpty() && s.logValues && s.values.lo < leastOnLog:
		return shading{}, fmt.Errorf("ValueRange from %g with LogValues: a logarithm needs a range above 0", s.values.lo)
	case !s.values.isEmpty():
		over = s.values
	case over.isEmpty() || over.lo == over.hi:
		if s.logValues {
			over = over.logPadded(0)
		} else {
			over = over.padded(0)
		}
	}
	return shading{over, s.diverging, s.logValues}, nil
}

// positive is the range of the values above 0, and how many finite ones are not.
func positive(values []float64) (over span, not int) {
	over = nothing()
	for _, v := range values {
		switch {
		case !finite(v):
		case v < leastOnLog:
			not++
		default:
			over = over.include(v)
		}
	}
	return over, not
}

func (s shading) color(v float64) color.NRGBA {
	if s.log {
		return viridis(span{math.Log(s.over.lo), math.Log(s.over.hi)}.share(math.Log(v)))
	}
	if !s.diverging {
		return viridis(s.over.share(v))
	}
	// Zero is in the middle of the colours, wherever it is in the range.
	far := max(math.Abs(s.over.lo), math.Abs(s.over.hi))
	return diverging(max(-1, min(1, max(s.over.lo, min(s.over.hi, v))/far)))
}

// symmetric is a range about 0 that holds another.
func (s span) symmetric() span {
	far := max(math.Abs(s.lo), math.Abs(s.hi))
	return span{-far, far}
}

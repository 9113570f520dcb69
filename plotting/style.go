package plotting

import (
	"image/color"
	"math"
)

// Sizes in points. The bands and the margin are whole pixels at 192 per inch.
const (
	titleSize  = 11
	labelSize  = 10
	tickSize   = 9
	noteSize   = 8
	titleBand  = 20.25
	noteBand   = 13.5
	frameLine  = 0.7
	tickLength = 3.5
	margin     = 7.5
)

// look is the set of colours of a figure.
type look struct {
	paper, ink, paleInk, seam color.NRGBA
	// palette tells series apart; it is of Okabe and Ito (2008), those that stand out
	// most from the paper first.
	palette []color.NRGBA
	// bad marks what is not finite.
	bad color.NRGBA
}

var light = look{
	paper:   color.NRGBA{255, 255, 255, 255},
	ink:     color.NRGBA{38, 38, 38, 255},
	paleInk: color.NRGBA{110, 110, 110, 255},
	seam:    color.NRGBA{200, 200, 200, 255},
	palette: []color.NRGBA{
		{0x00, 0x72, 0xB2, 255}, // blue
		{0xD5, 0x5E, 0x00, 255}, // vermilion
		{0x00, 0x9E, 0x73, 255}, // bluish green
		{0xCC, 0x79, 0xA7, 255}, // reddish purple
		{0xE6, 0x9F, 0x00, 255}, // orange
		{0x56, 0xB4, 0xE9, 255}, // sky blue
		{0x00, 0x00, 0x00, 255},
	},
	bad: color.NRGBA{0xD5, 0x5E, 0x00, 255},
}

// dark has the background of JupyterLab's dark theme.
var dark = look{
	paper:   color.NRGBA{17, 17, 17, 255},
	ink:     color.NRGBA{224, 224, 224, 255},
	paleInk: color.NRGBA{150, 150, 150, 255},
	seam:    color.NRGBA{80, 80, 80, 255},
	palette: []color.NRGBA{
		{0x56, 0xB4, 0xE9, 255}, // sky blue
		{0xE6, 0x9F, 0x00, 255}, // orange
		{0x00, 0xB8, 0x86, 255}, // bluish green, lightened
		{0xCC, 0x79, 0xA7, 255}, // reddish purple
		{0xF0, 0xE4, 0x42, 255}, // yellow
		{0xE8, 0x6A, 0x17, 255}, // vermilion, lightened
		{0xFF, 0xFF, 0xFF, 255},
	},
	bad: color.NRGBA{0xE8, 0x6A, 0x17, 255},
}

// color is the i-th of the palette, which goes on with the same colours, darker on light and
// lighter on dark.
func (l *look) color(i int) color.NRGBA {
	c := l.palette[i%len(l.palette)]
	switch round := i / len(l.palette); {
	case round == 0:
		return c
	case i%len(l.palette) == len(l.palette)-1: // black and white, which are the ink already
		return mixed(c, l.paper, 0.5)
	default:
		return mixed(c, l.ink, 1-min(0.7, 0.4*float64(round)))
	}
}

func faint(c color.NRGBA, opacity float64) color.NRGBA {
	c.A = uint8(math.Round(255 * opacity))
	return c
}

// mixed is c over the paper at an opacity, itself opaque.
func mixed(c, paper color.NRGBA, opacity float64) color.NRGBA {
	blend := func(a, b uint8) uint8 { return uint8(math.Round(float64(b) + opacity*(float64(a)-float64(b)))) }
	return color.NRGBA{blend(c.R, paper.R), blend(c.G, paper.G), blend(c.B, paper.B), 255}
}

package plotting

import (
	"image/color"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
)

// scripts is a text handler that draws the indices and exponents of Unicode, such as
// those of x₁ and 10⁻³, as small figures: the font has some of them and not others.
type scripts struct{ text.Handler }

var (
	raised  = []rune("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿᵀ")
	lowered = []rune("₀₁₂₃₄₅₆₇₈₉₊₋ₐᵢⱼₖₘₙₜₓ")
)

// plainRaised and plainLowered are what stands in their places.
var (
	plainRaised  = []rune("0123456789+−nT")
	plainLowered = []rune("0123456789+−aijkmntx")
)

// run is a part of a line in one size. level is +1 for an exponent, −1 for an index.
type run struct {
	text  string
	level int
}

func runs(line string) (out []run) {
	for _, r := range line {
		level := 0
		for i, c := range raised {
			if r == c {
				r, level = plainRaised[i], 1
				break
			}
		}
		for i, c := range lowered {
			if r == c {
				r, level = plainLowered[i], -1
				break
			}
		}
		if n := len(out); n > 0 && out[n-1].level == level {
			out[n-1].text += string(r)
		} else {
			out = append(out, run{string(r), level})
		}
	}
	return out
}

const scriptShare = 0.7

func (h scripts) face(fnt font.Font, level int) font.Face {
	if level != 0 {
		fnt.Size *= scriptShare
	}
	return h.Cache().Lookup(fnt, fnt.Size)
}

func (h scripts) width(line string, fnt font.Font) (width vg.Length) {
	for _, r := range runs(line) {
		face := h.face(fnt, r.level)
		width += face.Width(r.text)
	}
	return width
}

// Box implements [text.Handler].
func (h scripts) Box(txt string, fnt font.Font) (width, height, depth vg.Length) {
	_, height, depth = h.Handler.Box("", fnt)
	return h.width(txt, fnt), height, depth
}

// Draw implements [text.Handler].
func (h scripts) Draw(c vg.Canvas, txt string, sty text.Style, at vg.Point) {
	c.Push()
	defer c.Pop()
	c.SetColor(sty.Color)
	c.Translate(at)
	c.Rotate(sty.Rotation)
	lines := h.Lines(txt)
	face := h.face(sty.Font, 0)
	top := sty.Height(txt)*vg.Length(sty.YAlign) - face.Extents().Ascent
	for i, line := range lines {
		x := vg.Length(sty.XAlign) * h.width(line, sty.Font)
		y := top + vg.Length(len(lines)-i)*sty.Font.Size
		for _, r := range runs(line) {
			face := h.face(sty.Font, r.level)
			lift := vg.Length(0)
			switch r.level {
			case 1:
				lift = 0.35 * sty.Font.Size
			case -1:
				lift = -0.13 * sty.Font.Size
			}
			if strings.TrimSpace(r.text) != "" {
				c.FillString(face, vg.Point{X: x, Y: y + lift}, r.text)
			}
			x += face.Width(r.text)
		}
	}
}

func textStyle(size vg.Length, c color.Color, x text.XAlignment, y text.YAlignment) text.Style {
	return text.Style{
		Color:   c,
		Font:    font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, size),
		XAlign:  x,
		YAlign:  y,
		Handler: scripts{plot.DefaultTextHandler},
	}
}

// fitted is the style with its size lowered, to three fifths at most, until the text
// is no wider than width.
func fitted(style text.Style, words string, width vg.Length) text.Style {
	if w := style.Width(words); w > width && width > 0 {
		style.Font.Size *= max(0.6, width/w)
	}
	return style
}

package plotting

import (
	"fmt"
	"image/color"
	"strings"
	"sync"

	"codeberg.org/go-fonts/dejavu/dejavusans"
	imagefont "golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
)

// scripts is a text handler for Unicode: Liberation Sans, and DejaVu Sans for the
// mathematical signs that it lacks. It draws indices and exponents, such as those of x₁ and
// 10⁻³, as small figures: the font has some of them and not others.
type scripts struct{ text.Handler }

// Indices and exponents, and what is drawn small in their places.
const (
	raised, plainRaised   = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱᵀ", "0123456789+−=()niT"
	lowered, plainLowered = "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑᵢⱼₖₗₘₙₚᵣₛₜₓ", "0123456789+−=()aeijklmnprstx"
)

type script struct {
	plain rune
	level int
}

var small = func() map[rune]script {
	out := map[rune]script{}
	for level, names := range map[int][2]string{1: {raised, plainRaised}, -1: {lowered, plainLowered}} {
		plain := []rune(names[1])
		for i, r := range []rune(names[0]) {
			out[r] = script{plain[i], level}
		}
	}
	return out
}()

// accents are the signs that are drawn above the letter before: the font's combining ones
// don't find its middle.
var accents = map[rune]rune{'\u0302': 'ˆ', '\u0303': '˜', '\u0304': 'ˉ', '\u0307': '˙', '\u0308': '¨'}

// run is a part of a line in one font and size. level is +1 for an exponent, −1 for an index.
type run struct {
	text  string
	level int
	// mathematical runs are in the font that has more signs.
	mathematical bool
	// over is the letter that an accent stands above.
	over rune
}

// blank stands for a character that both fonts lack, so that its absence is seen.
const blank = '□'

func (h scripts) runs(line string, fnt font.Font) (out []run) {
	for _, r := range line {
		if n := len(out); n > 0 && accents[r] != 0 {
			before := out[n-1]
			letters := []rune(before.text)
			out = append(out, run{string(accents[r]), before.level, false, letters[len(letters)-1]})
			continue
		}
		s, is := small[r]
		if !is {
			s = script{plain: r}
		}
		mathematical := !h.has(s.plain, fnt)
		if mathematical && !h.has(s.plain, mathematics()) {
			s.plain, mathematical = blank, false
		}
		if n := len(out); n > 0 && out[n-1].level == s.level && out[n-1].mathematical == mathematical && out[n-1].over == 0 {
			out[n-1].text += string(s.plain)
		} else {
			out = append(out, run{text: string(s.plain), level: s.level, mathematical: mathematical})
		}
	}
	return out
}

func (h scripts) has(r rune, fnt font.Font) bool {
	glyph, err := h.Cache().Lookup(fnt, fnt.Size).Face.GlyphIndex(nil, r)
	return err == nil && glyph != 0
}

// mathematics is the font for what Liberation Sans lacks.
var mathematics = sync.OnceValue(func() font.Font {
	fnt := font.Font{Typeface: "DejaVu", Variant: "Sans"}
	face, err := opentype.Parse(dejavusans.TTF)
	if err != nil {
		panic("plotting: the font DejaVu Sans is damaged: " + err.Error())
	}
	plot.DefaultTextHandler.Cache().Add(font.Collection{{Font: fnt, Face: face}})
	return fnt
})

// lacking is the note on characters that no font has.
func lacking(words ...string) string {
	h := scripts{plot.DefaultTextHandler}
	fnt := textStyle(tickSize, nil, text.XLeft, text.YBottom).Font
	missing := ""
	for _, r := range strings.Join(words, "") {
		if _, is := small[r]; !is && !h.has(r, fnt) && !h.has(r, mathematics()) && r != '\n' && !strings.ContainsRune(missing, r) {
			missing += string(r)
		}
	}
	if missing == "" {
		return ""
	}
	return fmt.Sprintf("no font has %+q", missing)
}

const scriptShare = 0.7

func (h scripts) face(fnt font.Font, r run) font.Face {
	size := fnt.Size
	if r.level != 0 {
		size *= scriptShare
	}
	if r.mathematical {
		fnt = mathematics()
		size *= 0.93 // DejaVu's letters are larger
	}
	return h.Cache().Lookup(fnt, size)
}

func (h scripts) width(line string, fnt font.Font) (width vg.Length) {
	for _, r := range h.runs(line, fnt) {
		if r.over == 0 {
			face := h.face(fnt, r)
			width += face.Width(r.text)
		}
	}
	return width
}

// ink is the box of a letter's outline, from where it is drawn.
func ink(face font.Face, r rune) (left, right, top vg.Length) {
	glyph, err := face.Face.GlyphIndex(nil, r)
	if err != nil {
		return 0, 0, 0
	}
	const fine = 1000
	box, _, err := face.Face.GlyphBounds(nil, glyph, fixed.I(fine), imagefont.HintingNone)
	if err != nil {
		return 0, 0, 0
	}
	at := func(v fixed.Int26_6) vg.Length { return vg.Length(v) / 64 / fine * face.Font.Size }
	return at(box.Min.X), at(box.Max.X), -at(box.Min.Y)
}

// above is where an accent is drawn, from the end of the letter before.
func above(face font.Face, r run) vg.Point {
	left, right, _ := ink(face, []rune(r.text)[0])
	from, to, top := ink(face, r.over)
	_, _, low := ink(face, 'x')
	middle := from/2 + to/2 - face.Width(string(r.over))
	return vg.Point{X: middle - left/2 - right/2, Y: max(0, top-low)}
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
	face := h.face(sty.Font, run{})
	top := sty.Height(txt)*vg.Length(sty.YAlign) - face.Extents().Ascent
	for i, line := range lines {
		x := vg.Length(sty.XAlign) * h.width(line, sty.Font)
		y := top + vg.Length(len(lines)-i)*sty.Font.Size
		for _, r := range h.runs(line, sty.Font) {
			face := h.face(sty.Font, r)
			lift := vg.Length(0)
			switch r.level {
			case 1:
				lift = 0.35 * sty.Font.Size
			case -1:
				lift = -0.13 * sty.Font.Size
			}
			if r.over != 0 {
				c.FillString(face, vg.Point{X: x, Y: y + lift}.Add(above(face, r)), r.text)
				continue
			}
			// SVG leaves out the spaces that a text begins with.
			words := strings.TrimLeft(r.text, " ")
			x += vg.Length(len(r.text)-len(words)) * face.Width(" ")
			if words != "" {
				c.FillString(face, vg.Point{X: x, Y: y + lift}, words)
			}
			x += face.Width(words)
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

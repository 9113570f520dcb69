package plotting

import (
	"fmt"
	"image/color"
	"strings"
	"sync"

	"codeberg.org/go-fonts/dejavu/dejavusans"
	"golang.org/x/image/font/opentype"
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

// run is a part of a line in one font and size. level is +1 for an exponent, −1 for an index.
type run struct {
	text  string
	level int
	// mathematical runs are in the font that has more signs.
	mathematical bool
}

// blank stands for a character that both fonts lack, so that its absence is seen.
const blank = '□'

func (h scripts) runs(line string, fnt font.Font) (out []run) {
	for _, r := range line {
		s, is := small[r]
		if !is {
			s = script{plain: r}
		}
		mathematical := !h.has(s.plain, fnt)
		if mathematical && !h.has(s.plain, mathematics()) {
			s.plain, mathematical = blank, false
		}
		if n := len(out); n > 0 && out[n-1].level == s.level && out[n-1].mathematical == mathematical {
			out[n-1].text += string(s.plain)
		} else {
			out = append(out, run{string(s.plain), s.level, mathematical})
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
		face := h.face(fnt, r)
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

package plotting

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"strconv"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// PDF returns the figure as a PDF of one page of its size, for LaTeX and print. As in
// [Figure.SVG], lines and text stay lines and text, and many points, densities and images are
// pixels within it. The file embeds the characters that it uses of its fonts.
func (f Figure) PDF() ([]byte, error) {
	if err := f.Err(); err != nil {
		return nil, err
	}
	p := newPDF(f.width, f.height)
	c := draw.NewCanvas(p, f.width, f.height)
	c.SetColor(f.colours().paper)
	c.Fill(c.Path())
	f.draw(c)
	var out bytes.Buffer
	if err := p.doc.Output(&out); err != nil {
		return nil, fmt.Errorf("plotting: encoding the PDF: %w", err)
	}
	return out.Bytes(), nil
}

// pdf is a canvas that writes a PDF with fonts for Unicode: vgpdf, that of gonum, knows the
// characters of Western Europe alone. The coordinates are those of PDF itself, in points
// from the lower left corner. Only text and images depend on the state within the document;
// paths are transformed here.
type pdf struct {
	doc           *fpdf.Fpdf
	width, height vg.Length
	state         pdfState
	stack         []pdfState
	images        int
	// sent is what the document was last told, which isn't said again for each of many points.
	sent struct {
		fill, stroke color.NRGBA
		alpha        uint8
		pen          string
	}
}

type pdfState struct {
	color color.NRGBA
	line  vg.Length
	dash  []vg.Length
	shift vg.Length
	at    affine
}

// affine takes (x, y) to (a·x + c·y + e, b·x + d·y + f), as the operator cm of PDF does.
type affine struct{ a, b, c, d, e, f float64 }

// before is the transformation that does m first.
func (t affine) before(m affine) affine {
	return affine{
		t.a*m.a + t.c*m.b, t.b*m.a + t.d*m.b,
		t.a*m.c + t.c*m.d, t.b*m.c + t.d*m.d,
		t.a*m.e + t.c*m.f + t.e, t.b*m.e + t.d*m.f + t.f,
	}
}

func newPDF(width, height vg.Length) *pdf {
	doc := fpdf.NewCustom(&fpdf.InitType{UnitStr: "pt", Size: fpdf.SizeType{Wd: width.Points(), Ht: height.Points()}})
	// The same figure is the same bytes.
	doc.SetCatalogSort(true)
	doc.SetCreationDate(time.Unix(0, 0).UTC())
	doc.SetModificationDate(time.Unix(0, 0).UTC())
	doc.SetMargins(0, 0, 0)
	doc.SetAutoPageBreak(false, 0)
	doc.AddPage()
	p := &pdf{doc: doc, width: width, height: height, state: pdfState{at: affine{a: 1, d: 1}}}
	p.sent.alpha = 255
	vg.Initialize(p)
	return p
}

// Size implements [vg.CanvasSizer].
func (p *pdf) Size() (x, y vg.Length) { return p.width, p.height }

// SetLineWidth implements [vg.Canvas].
func (p *pdf) SetLineWidth(w vg.Length) { p.state.line = w }

// SetLineDash implements [vg.Canvas].
func (p *pdf) SetLineDash(pattern []vg.Length, offset vg.Length) {
	p.state.dash, p.state.shift = pattern, offset
}

// SetColor implements [vg.Canvas].
func (p *pdf) SetColor(c color.Color) {
	if c == nil {
		c = color.Black
	}
	p.state.color = color.NRGBAModel.Convert(c).(color.NRGBA)
}

// Rotate implements [vg.Canvas].
func (p *pdf) Rotate(angle float64) {
	sin, cos := math.Sincos(angle)
	p.state.at = p.state.at.before(affine{a: cos, b: sin, c: -sin, d: cos})
}

// Translate implements [vg.Canvas].
func (p *pdf) Translate(to vg.Point) {
	p.state.at = p.state.at.before(affine{a: 1, d: 1, e: float64(to.X), f: float64(to.Y)})
}

// Scale implements [vg.Canvas].
func (p *pdf) Scale(x, y float64) { p.state.at = p.state.at.before(affine{a: x, d: y}) }

// Push implements [vg.Canvas].
func (p *pdf) Push() { p.stack = append(p.stack, p.state) }

// Pop implements [vg.Canvas].
func (p *pdf) Pop() {
	p.state = p.stack[len(p.stack)-1]
	p.stack = p.stack[:len(p.stack)-1]
}

// place is a point in the document's units, whose y is counted from the top.
func (p *pdf) place(at vg.Point) (x, y float64) {
	const fine = 1000 // to a point: what is written is shorter for it
	t, u, v := p.state.at, float64(at.X), float64(at.Y)
	x, y = t.a*u+t.c*v+t.e, float64(p.height)-(t.b*u+t.d*v+t.f)
	return math.Round(x*fine) / fine, math.Round(y*fine) / fine
}

// Stroke implements [vg.Canvas].
func (p *pdf) Stroke(path vg.Path) {
	if p.state.line <= 0 {
		return
	}
	p.pen(p.state.line, p.state.dash, p.state.shift, "butt")
	p.path(path, "S")
}

// pen has lines drawn in the present colour.
func (p *pdf) pen(width vg.Length, dash []vg.Length, shift vg.Length, cap string) {
	if c := opaque(p.state.color); c != p.sent.stroke {
		p.sent.stroke = c
		p.doc.SetDrawColor(int(c.R), int(c.G), int(c.B))
	}
	p.setAlpha(p.state.color.A)
	scale := math.Sqrt(math.Abs(p.state.at.a*p.state.at.d - p.state.at.b*p.state.at.c))
	pen := fmt.Sprint(scale, width, dash, shift, cap)
	if pen == p.sent.pen {
		return
	}
	p.sent.pen = pen
	p.doc.SetLineWidth(scale * float64(width))
	p.doc.SetLineCapStyle(cap)
	var scaled []float64
	for _, d := range dash {
		scaled = append(scaled, scale*float64(d))
	}
	p.doc.SetDashPattern(scaled, scale*float64(shift))
}

// Fill implements [vg.Canvas]. A disc is a point drawn with a round pen, which takes a tenth
// of what its outline does.
func (p *pdf) Fill(path vg.Path) {
	if centre, radius := disc(path); radius > 0 {
		p.pen(2*radius, nil, 0, "round")
		x, y := p.place(centre)
		p.doc.MoveTo(x, y)
		p.doc.LineTo(x, y)
		p.doc.DrawPath("S")
		return
	}
	p.fillColor()
	p.path(path, "f")
}

// disc is what a path fills if it is a whole circle, else of radius 0.
func disc(path vg.Path) (centre vg.Point, radius vg.Length) {
	if len(path) != 3 || path[0].Type != vg.MoveComp || path[1].Type != vg.ArcComp || path[1].Angle < 2*math.Pi || path[2].Type != vg.CloseComp {
		return vg.Point{}, 0
	}
	return path[1].Pos, path[1].Radius
}

func (p *pdf) fillColor() {
	if c := opaque(p.state.color); c != p.sent.fill {
		p.sent.fill = c
		p.doc.SetFillColor(int(c.R), int(c.G), int(c.B))
		p.doc.SetTextColor(int(c.R), int(c.G), int(c.B))
	}
	p.setAlpha(p.state.color.A)
}

func (p *pdf) setAlpha(alpha uint8) {
	if alpha != p.sent.alpha {
		p.sent.alpha = alpha
		p.doc.SetAlpha(float64(alpha)/255, "Normal")
	}
}

func opaque(c color.NRGBA) color.NRGBA { return color.NRGBA{c.R, c.G, c.B, 255} }

func (p *pdf) path(path vg.Path, paint string) {
	if len(path) == 0 {
		return
	}
	begun := false
	var now vg.Point
	// to goes to a point by a line, or begins there.
	to := func(at vg.Point) {
		x, y := p.place(at)
		if begun {
			p.doc.LineTo(x, y)
		} else {
			p.doc.MoveTo(x, y)
		}
		begun, now = true, at
	}
	curve := func(one, two, at vg.Point) {
		ax, ay := p.place(one)
		bx, by := p.place(two)
		x, y := p.place(at)
		p.doc.CurveBezierCubicTo(ax, ay, bx, by, x, y)
		now = at
	}
	for _, part := range path {
		switch part.Type {
		case vg.MoveComp:
			begun = false
			to(part.Pos)
		case vg.LineComp:
			to(part.Pos)
		case vg.ArcComp:
			to(onCircle(part, 0))
			// Pieces of 90° at most, each a cubic curve that is off by 3·10⁻⁴ of the radius.
			pieces := max(1, math.Ceil(math.Abs(part.Angle)/(math.Pi/2)-1e-9))
			reach := part.Radius * vg.Length(4./3*math.Tan(part.Angle/pieces/4))
			for i := range int(pieces) {
				a, b := float64(i)/pieces, float64(i+1)/pieces
				from, end := onCircle(part, a), onCircle(part, b)
				curve(from.Add(along(part, a).Scale(reach)), end.Sub(along(part, b).Scale(reach)), end)
			}
		case vg.CurveComp:
			one, two := part.Control[0], part.Control[len(part.Control)-1]
			if len(part.Control) == 1 { // a quadratic curve, raised to a cubic one
				one = now.Scale(1. / 3).Add(part.Control[0].Scale(2. / 3))
				two = part.Pos.Scale(1. / 3).Add(part.Control[0].Scale(2. / 3))
			}
			curve(one, two, part.Pos)
		case vg.CloseComp:
			p.doc.ClosePath()
			begun = false
		}
	}
	p.doc.DrawPath(paint)
}

// onCircle is the point at a share of an arc's angle.
func onCircle(arc vg.PathComp, share float64) vg.Point {
	sin, cos := math.Sincos(arc.Start + share*arc.Angle)
	return arc.Pos.Add(vg.Point{X: arc.Radius * vg.Length(cos), Y: arc.Radius * vg.Length(sin)})
}

// along is the direction of growing angle there.
func along(arc vg.PathComp, share float64) vg.Point {
	sin, cos := math.Sincos(arc.Start + share*arc.Angle)
	return vg.Point{X: vg.Length(-sin), Y: vg.Length(cos)}
}

// FillString implements [vg.Canvas].
func (p *pdf) FillString(face font.Face, at vg.Point, words string) {
	if face.Font.Size == 0 {
		return
	}
	p.fillColor()
	for _, part := range byPlane(words) {
		if []rune(part)[0] > 0xffff {
			p.outlines(face, at, part)
		} else {
			p.text(face, at, part)
		}
		at.X += face.Width(part)
	}
}

// byPlane cuts text where it changes between characters of 16 bits, which fpdf can write,
// and others.
func byPlane(words string) (parts []string) {
	var beyond bool
	for i, r := range []rune(words) {
		if far := r > 0xffff; i == 0 || far != beyond {
			parts, beyond = append(parts, ""), far
		}
		parts[len(parts)-1] += string(r)
	}
	return parts
}

func (p *pdf) text(face font.Face, at vg.Point, words string) {
	name := strings.ToLower(strings.ReplaceAll(face.Name(), " ", ""))
	if p.doc.GetFontDesc(name, "").Ascent == 0 {
		var source bytes.Buffer
		if _, err := face.Face.WriteSourceTo(nil, &source); err != nil {
			p.doc.SetError(fmt.Errorf("the font %s: %w", face.Name(), err))
			return
		}
		p.doc.AddUTF8FontFromBytes(name, "", source.Bytes())
	}
	p.doc.SetFont(name, "", float64(face.Font.Size))
	p.doc.TransformBegin()
	t := p.state.at.before(affine{a: 1, d: 1, e: float64(at.X), f: float64(at.Y)})
	p.doc.Transform(fpdf.TransformMatrix{A: t.a, B: t.b, C: t.c, D: t.d, E: t.e, F: t.f})
	p.doc.Text(0, float64(p.height), words)
	p.doc.TransformEnd()
}

// outlines fills the outlines of characters.
func (p *pdf) outlines(face font.Face, at vg.Point, words string) {
	const fine = 1000
	var buffer sfnt.Buffer
	scale := face.Font.Size / 64 / fine
	for _, r := range words {
		glyph, err := face.Face.GlyphIndex(&buffer, r)
		if err != nil {
			continue
		}
		segments, err := face.Face.LoadGlyph(&buffer, glyph, fixed.I(fine), nil)
		if err != nil {
			continue
		}
		to := func(v fixed.Point26_6) vg.Point {
			return at.Add(vg.Point{X: vg.Length(v.X) * scale, Y: -vg.Length(v.Y) * scale})
		}
		var path vg.Path
		for _, s := range segments {
			switch s.Op {
			case sfnt.SegmentOpMoveTo:
				path.Move(to(s.Args[0]))
			case sfnt.SegmentOpLineTo:
				path.Line(to(s.Args[0]))
			case sfnt.SegmentOpQuadTo:
				path.QuadTo(to(s.Args[0]), to(s.Args[1]))
			case sfnt.SegmentOpCubeTo:
				path.CubeTo(to(s.Args[0]), to(s.Args[1]), to(s.Args[2]))
			}
		}
		p.path(path, "f")
		at.X += face.Width(string(r))
	}
}

// DrawImage implements [vg.Canvas].
func (p *pdf) DrawImage(box vg.Rectangle, img image.Image) {
	var data bytes.Buffer
	if err := png.Encode(&data, img); err != nil {
		p.doc.SetError(err)
		return
	}
	p.images++
	name, options := strconv.Itoa(p.images), fpdf.ImageOptions{ImageType: "png"}
	p.doc.RegisterImageOptionsReader(name, options, &data)
	p.setAlpha(255)
	x, y := p.place(vg.Point{X: box.Min.X, Y: box.Max.Y})
	size := box.Size()
	p.doc.ImageOptions(name, x, y, float64(size.X), float64(size.Y), false, options, 0, "")
}

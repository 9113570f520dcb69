package plotting

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"html"
	"math"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"
	"gonum.org/v1/plot/vg"
)

// Slides are figures of which the reader chooses one at a time, with a [Slider] or a
// [Picker]. Inline all of them are part of the notebook, so that choosing needs neither a
// kernel nor a network and works in what is exported to HTML; where scripts don't run they
// stand beside each other. A picture takes about 50 kB: ten to twenty are a good number.
//
// Panels have the same axes and places in all figures, so that nothing jumps, except that
// those with [Limits] or a [Plane] keep their own ranges.
type Slides struct {
	label   string
	choices []string
	// control is how the reader chooses: "range" or "select".
	control string
	figures []Figure
	err     error
}

// Slider shows a figure for each value of a number with a name, such as t or w, and
// chooses with a slider:
//
//	figures := []plotting.Figure{}
//	for _, t := range times {
//		figures = append(figures, plotting.Streamlines(plane, velocity(t)))
//	}
//	err := plotting.Show(plotting.Slider("t", times, figures...))
func Slider(label string, values []float64, figures ...Figure) Slides {
	choices := make([]string, len(values))
	for i, v := range values {
		if !finite(v) {
			return Slides{err: fmt.Errorf("plotting.Slider: values[%d] is %v: give finite values", i, v)}
		}
		choices[i] = minus(fmt.Sprintf("%.4g", v))
	}
	return slides("Slider", "range", label, choices, figures)
}

// Picker shows a figure for each of several names, such as those of data sets or solvers,
// and chooses from a list of them. The label says what the names are of.
func Picker(label string, names []string, figures ...Figure) Slides {
	for i, name := range names {
		if name == "" {
			return Slides{err: fmt.Errorf("plotting.Picker: names[%d] is empty: give each figure a name", i)}
		}
	}
	return slides("Picker", "select", label, names, figures)
}

func slides(kind, control, label string, choices []string, figures []Figure) Slides {
	s := Slides{label: label, choices: choices, control: control}
	bad := func(format string, args ...any) Slides {
		return Slides{err: fmt.Errorf("plotting."+kind+": "+format, args...)}
	}
	switch {
	case len(figures) == 0:
		return bad("no figures: give at least one")
	case len(choices) != len(figures):
		return bad("%d choices for %d figures: give one for each", len(choices), len(figures))
	case label == "":
		return bad(`an empty label: say what is chosen, such as "t" or "data set"`)
	}
	counts := make([]int, len(figures))
	for i, f := range figures {
		if err := f.Err(); err != nil {
			return bad("figure %d: %w", i, err)
		}
		for range f.root.panels() {
			counts[i]++
		}
		if counts[i] != counts[0] {
			return bad("figure %d has %d panels and the first %d: give figures of as many", i, counts[i], counts[0])
		}
	}
	s.figures = alike(figures)
	return s
}

// alike are the figures in one size, their panels with the same ranges.
func alike(figures []Figure) []Figure {
	out := make([]Figure, len(figures))
	roots := make([]node, len(figures))
	width, height := vg.Length(0), vg.Length(0)
	for i, f := range figures {
		out[i], roots[i] = f, copied(f.root)
		width, height = max(width, f.width), max(height, f.height)
	}
	for i := range out {
		out[i].root, out[i].width, out[i].height = roots[i], width, height
	}
	for _, root := range roots[1:] {
		likeFirst(roots[0], root)
	}
	for _, same := range counterparts(roots) {
		x, y, free := nothing(), nothing(), true
		for _, p := range same {
			free = free && !p.x.fixed && !p.y.fixed && !p.bare && p.x.ticks == nil && p.x.log == same[0].x.log && p.y.log == same[0].y.log
			if !p.empty {
				x, y = x.union(p.x.over), y.union(p.y.over)
			}
		}
		if !free || x.isEmpty() {
			continue
		}
		for _, p := range same {
			p.x.over, p.y.over = x, y
		}
	}
	return out
}

// likeFirst gives the grids of a node, which nothing else holds, the proportions of another's.
func likeFirst(first, n node) {
	a, ok := first.(*grid)
	b, too := n.(*grid)
	if !ok || !too || len(a.heights) != len(b.heights) || len(a.widths) != len(b.widths) {
		return
	}
	b.widths, b.heights = a.widths, a.heights
	for r, row := range b.cells {
		for k, cell := range row {
			likeFirst(a.cells[r][k], cell)
		}
	}
}

// Err returns what is wrong with the input, nil if it can be rendered.
func (s Slides) Err() error {
	if s.err == nil && len(s.figures) == 0 {
		return fmt.Errorf("plotting: there are no slides: make them with Slider or Picker")
	}
	return s.err
}

// Dark returns the slides with every figure in dark style.
func (s Slides) Dark() Slides {
	figures := make([]Figure, len(s.figures))
	for i, f := range s.figures {
		figures[i] = f.Dark()
	}
	s.figures = figures
	return s
}

// PNG returns a picture of up to six of the figures beside each other: the first, the last
// and those equally far between them.
func (s Slides) PNG() ([]byte, error) {
	f, err := s.still()
	if err != nil {
		return nil, err
	}
	return f.PNG()
}

const (
	mostStill  = 6
	stillWidth = 10.4 * vg.Inch
)

func (s Slides) still() (Figure, error) {
	if err := s.Err(); err != nil {
		return Figure{}, err
	}
	n := min(mostStill, len(s.figures))
	// Wide figures stay large enough to be read.
	columns := min(n, max(1, min(3, int(stillWidth/(0.6*s.figures[0].width)))))
	n = min(n, max(3, 2*columns))
	var cells []Figure
	for i := range n {
		k := 0
		if n > 1 {
			k = (i*(len(s.figures)-1) + (n-1)/2) / (n - 1)
		}
		f := s.figures[k]
		share := min(1, stillWidth/vg.Length(columns)/f.width)
		f.width, f.height = f.width*share, f.height*share
		cells = append(cells, f.Titled(s.caption(k)))
	}
	f := Grid(columns, cells...)
	return f, f.Err()
}

// caption names the k-th figure.
func (s Slides) caption(k int) string {
	if s.control == "range" {
		return s.label + " = " + s.choices[k]
	}
	return s.choices[k]
}

//go:embed slides.js
var slidesScript string

// HTML returns the slides as an HTML element that needs nothing else.
func (s Slides) HTML() (string, error) {
	if err := s.Err(); err != nil {
		return "", err
	}
	pictures, err := s.pictures()
	if err != nil {
		return "", err
	}
	var out strings.Builder
	width := int(math.Round(float64(s.figures[0].width / vg.Inch * cssPixelsPerInch)))
	fmt.Fprintf(&out, "<div data-label=\"%s\" data-control=\"%s\" data-width=\"%d\">\n", html.EscapeString(s.label), s.control, width)
	for k, picture := range pictures {
		caption := html.EscapeString(s.caption(k))
		fmt.Fprintf(&out, "<figure data-choice=\"%s\" style=\"display:inline-block;margin:0 8px 8px 0\">\n", html.EscapeString(s.choices[k]))
		fmt.Fprintf(&out, "<img alt=\"%s. %s\" width=\"%d\" style=\"max-width:100%%;height:auto\" src=\"data:image/png;base64,%s\">\n",
			caption, html.EscapeString(s.figures[k].describe()), min(width, 300), base64.StdEncoding.EncodeToString(picture))
		fmt.Fprintf(&out, "<figcaption>%s</figcaption>\n</figure>\n", caption)
	}
	fmt.Fprintf(&out, "<script>\n%s</script>\n</div>\n", slidesScript)
	return out.String(), nil
}

// pictures are the figures as PNGs, their panels at the same places.
func (s Slides) pictures() ([][]byte, error) {
	figures := make([]Figure, len(s.figures))
	roots := make([]node, len(s.figures))
	perInch := s.figures[0].perInch
	if perInch == 0 {
		perInch = animationPerInch
	}
	for i, f := range s.figures {
		figures[i], roots[i] = f.Resolution(perInch), f.root
	}
	placed := arrange(figures[0].page(), figures[0].pixel(), roots...)
	out := make([][]byte, len(figures))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, f := range figures {
		f.placed = placed
		group.Go(func() (err error) {
			out[i], err = f.PNG()
			return err
		})
	}
	return out, group.Wait()
}

// Save writes the slides to path, as a page or as the picture of [Slides.PNG], by its
// extension.
func (s Slides) Save(path string) error {
	var data []byte
	var err error
	switch extension := strings.ToLower(filepath.Ext(path)); extension {
	case ".html":
		data, err = s.page()
	case ".png":
		data, err = s.PNG()
	default:
		return fmt.Errorf("plotting: %q has the extension %q: end the name in .html or .png", path, extension)
	}
	if err != nil {
		return err
	}
	return write(path, data)
}

func (s Slides) page() ([]byte, error) {
	body, err := s.HTML()
	if err != nil {
		return nil, err
	}
	look := s.figures[0].colours()
	scheme := "light"
	if look == &dark {
		scheme = "dark"
	}
	return fmt.Appendf(nil, `<!doctype html>
<html lang="en" style="color-scheme:%s">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%s</title>
</head>
<body style="background:rgb(%d %d %d);font-family:sans-serif">
%s</body>
</html>
`, scheme, html.EscapeString(s.label), look.paper.R, look.paper.G, look.paper.B, body), nil
}

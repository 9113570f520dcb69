package plotting

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The doc comment of each kind of figure names the options that it takes.
func TestDocsNameTheOptions(t *testing.T) {
	foreign := Option{"foreign", func(*settings) error { return nil }}
	points, plane, ways, times := moons(1, 9), demoPlane, asPaths(moons(1, 9)), []float64{1, 0}
	logp := plane.Eval(mixture)
	kinds := map[string]error{
		"Animate":       Animate(ways, times, foreign).Err(),
		"Bars":          Bars(nil, nil, foreign).Err(),
		"Contours":      Contours(plane, logp, foreign).Err(),
		"Corner":        Corner([]Sample{{Name: "", Points: points}}, foreign).Err(),
		"Coverage":      Coverage(nil, foreign).Err(),
		"Density":       Density(plane, logp, foreign).Err(),
		"FilmStrip":     FilmStrip(ways, times, foreign).Err(),
		"HeatMap":       HeatMap(plane, logp, foreign).Err(),
		"Histogram":     Histogram(nil, foreign).Err(),
		"Histogram2D":   Histogram2D(points, foreign).Err(),
		"ImageGrid":     ImageGrid(normals(1, 1, 2, 2), foreign).Err(),
		"Joint":         Joint(points, foreign).Err(),
		"Line":          Line(nil, foreign).Err(),
		"Marginals":     Marginals(nil, nil, foreign).Err(),
		"Quantiles":     Quantiles(times, normals(1, 2, 9), foreign).Err(),
		"RankHistogram": RankHistogram(nil, 9, foreign).Err(),
		"Scatter":       Scatter(points, foreign).Err(),
		"Streamlines":   Streamlines(plane, swirl(), foreign).Err(),
		"Trajectories":  Trajectories(ways, foreign).Err(),
		"VectorField":   VectorField(plane, swirl(), foreign).Err(),
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	docs := map[string]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil {
				continue
			}
			docs[f.Name.Name] = strings.Join(strings.Fields(f.Doc.Text()), " ")
			for _, parameter := range f.Type.Params.List {
				list, ok := parameter.Type.(*ast.Ellipsis)
				if !ok || !f.Name.IsExported() {
					continue
				}
				if of, ok := list.Elt.(*ast.Ident); ok && of.Name == "Option" && kinds[f.Name.Name] == nil {
					t.Errorf("%s takes options, and isn't tested", f.Name.Name)
				}
			}
		}
	}
	link := regexp.MustCompile(`\[(\w+)\]`)
	named := func(kind string) (options []string) {
		_, list, _ := strings.Cut(docs[kind], "It takes ")
		for _, name := range link.FindAllStringSubmatch(list, -1) {
			// What else is linked there is another kind of figure, in passing.
			if kinds[name[1]] == nil && name[1] != "Grid" {
				options = append(options, name[1])
			}
		}
		return options
	}
	for kind, err := range kinds {
		options := named(kind)
		switch kind { // that refer to others
		case "HeatMap":
			options = append(options, named("Density")...)
		case "Joint":
			options = append(options, named("Histogram2D")...)
		}
		_, list, found := strings.Cut(err.Error(), "it takes [")
		takes := strings.Fields(strings.TrimSuffix(list, "]"))
		if !found {
			t.Errorf("%s: %v", kind, err)
		}
		slices.Sort(options)
		slices.Sort(takes)
		if !slices.Equal(options, takes) {
			t.Errorf("%s: the doc comment names\n%v, and it takes\n%v", kind, options, takes)
		}
	}
}

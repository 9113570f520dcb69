package plotting

import (
	"fmt"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/plot/vg"
)

func TestAMillionPointsMakeASmallSVG(t *testing.T) {
	svg, err := Scatter(moons(1, 1_000_000)).SVG()
	if err != nil {
		t.Fatal(err)
	}
	if len(svg) > 2<<20 {
		t.Errorf("%d bytes, want less than 2 MB", len(svg))
	}
}

// Ten million points, as a service's log may hold: drawn in seconds, as small files.
func TestTenMillionPoints(t *testing.T) {
	flat := make([]float32, 20_000_000)
	state := uint32(1) // a congruential generator, for speed
	for i := range flat {
		state = 1664525*state + 1013904223
		flat[i] = float32(state>>8) / (1 << 24)
	}
	points := tensors.FromFlatDataAndDimensions(flat, 10_000_000, 2)
	for name, f := range map[string]Figure{
		"scatter":      Scatter(points),
		"histogram 2D": Histogram2D(points),
		"corner":       Corner([]Sample{{Name: "", Points: points}}),
	} {
		svg, err := f.Resolution(48).SVG()
		if err != nil || len(svg) > 1<<20 {
			t.Errorf("%s: %d bytes (error %v), want less than 1 MB", name, len(svg), err)
		}
	}
}

func TestLongCurvesAreThinned(t *testing.T) {
	svg, err := Line([]Series{{Values: lossOf(1, 300_000, 5)}}).SVG()
	if err != nil {
		t.Fatal(err)
	}
	if len(svg) > 200<<10 {
		t.Errorf("%d bytes, want less than 200 kB", len(svg))
	}
	s := stage{perInch: 72}
	var points []vg.Point
	for _, p := range [][2]vg.Length{{0.1, 5}, {0.2, 9}, {0.3, 1}, {0.4, 2}, {0.5, 5}, {1.5, 3}} {
		points = append(points, vg.Point{X: p[0], Y: p[1]})
	}
	if got := fmt.Sprint(s.thinned(points)); got != "[{0.1 5} {0.2 9} {0.3 1} {0.5 5} {1.5 3}]" {
		t.Errorf("thinned to %s", got)
	}
}

func BenchmarkScatter(b *testing.B) {
	for _, n := range []int{1000, 10_000, 1_000_000, 10_000_000} {
		points := moons(1, n)
		for format, render := range map[string]func(Figure) ([]byte, error){"PNG": Figure.PNG, "SVG": Figure.SVG} {
			b.Run(fmt.Sprintf("%d/%s", n, format), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					data, err := render(Scatter(points))
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(float64(len(data)), "bytes")
				}
			})
		}
	}
}

func BenchmarkMany(b *testing.B) {
	points, values := moons(1, 10_000_000), lossOf(1, 10_000_000, 5)
	for name, of := range map[string]func() Figure{
		"Histogram2D":  func() Figure { return Histogram2D(points) },
		"Joint":        func() Figure { return Joint(points) },
		"Corner":       func() Figure { return Corner([]Sample{{Name: "", Points: points}}) },
		"Histogram":    func() Figure { return Histogram([]Series{{Values: values}}) },
		"Line":         func() Figure { return Line([]Series{{Values: values}}) },
		"Trajectories": func() Figure { return Trajectories(asThousandTimes(points)) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := of().PNG(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func asThousandTimes(x *tensors.Tensor) *tensors.Tensor {
	flat := tensors.MustCopyFlatData[float32](x)
	return tensors.FromFlatDataAndDimensions(flat, 1000, len(flat)/2000, 2)
}

func BenchmarkKinds(b *testing.B) {
	for name, f := range gallery() {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := f.PNG(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

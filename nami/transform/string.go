package transform

import (
	"fmt"
	"strings"
)

// numbers prints the first few of some values.
func numbers(values []float64) string {
	const most = 4
	texts := make([]string, min(len(values), most))
	for i := range texts {
		texts[i] = fmt.Sprintf("%.4g", values[i])
	}
	if len(values) > most {
		texts = append(texts, fmt.Sprintf("… (%d values)", len(values)))
	}
	return "[" + strings.Join(texts, " ") + "]"
}

// String describes the transform on one line.
func (s Standardize) String() string {
	if len(s.Mean) == 0 && len(s.Std) == 0 {
		return "Standardize, not fitted"
	}
	return fmt.Sprintf("Standardize{mean %s, std %s}", numbers(s.Mean), numbers(s.Std))
}

// String describes the transform on one line.
func (w Whiten) String() string {
	if len(w.Mean) == 0 && len(w.Matrix) == 0 {
		return "Whiten, not fitted"
	}
	return fmt.Sprintf("Whiten{mean %s}", numbers(w.Mean))
}

// String describes the transform on one line.
func (l Logarithm) String() string {
	if l.Shift == 0 {
		return "Logarithm"
	}
	return fmt.Sprintf("Logarithm{shift %g}", l.Shift)
}

// String describes the transform on one line.
func (p Probit) String() string {
	low, high := p.interval()
	return fmt.Sprintf("Probit{%g to %g}", low, high)
}

// String describes the transform on one line.
func (l Logit) String() string {
	low, high := l.interval()
	return fmt.Sprintf("Logit{%g to %g}", low, high)
}

// String describes the transform on one line.
func (a Asinh) String() string { return fmt.Sprintf("Asinh{scale %g}", a.scale()) }

// String describes the transform on one line.
func (d Dequantize) String() string { return fmt.Sprintf("Dequantize{step %g}", d.step()) }

// String describes the transform on one line.
func (c Circle) String() string {
	return fmt.Sprintf("Circle{%.4g to %.4g}", c.Low, c.Low+c.period())
}

// String describes the transforms on one line.
func (c Chain) String() string {
	texts := make([]string, len(c))
	for i, step := range c {
		texts[i] = fmt.Sprint(step)
	}
	return "Chain{" + strings.Join(texts, ", ") + "}"
}

// String describes the groups on one line.
func (c Columns) String() string {
	texts := make([]string, len(c))
	for i, g := range c {
		texts[i] = fmt.Sprintf("%v %v", g.Of, g.By)
	}
	return "Columns{" + strings.Join(texts, ", ") + "}"
}

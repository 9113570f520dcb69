package plotting

import (
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
)

// roundTicks sets ticks at multiples of 1, 2, 2.5 or 5 times a power of ten.
type roundTicks struct{ most int }

// Ticks implements [plot.Ticker].
func (t roundTicks) Ticks(lo, hi float64) []plot.Tick {
	step, decimals := roundStep((hi - lo) / float64(t.most))
	var ticks []plot.Tick
	slack := 1e-9 * (hi - lo)
	most := max(math.Abs(lo), math.Abs(hi))
	// Four decimals of the mantissa must tell two ticks apart.
	powers := (decimals > 5 || most >= 1e6) && most/step < 1e4
	first, last := math.Ceil((lo-slack)/step), math.Floor((hi+slack)/step)
	if last-first > float64(2*t.most) || math.IsNaN(last-first) {
		return nil // the range is below the resolution of a float64
	}
	for i := range int(last-first) + 1 {
		v := (first + float64(i)) * step
		ticks = append(ticks, plot.Tick{Value: v, Label: number(v, decimals, powers)})
	}
	return ticks
}

// roundStep returns the smallest round step that is at least least, and how many
// decimals it has.
func roundStep(least float64) (step float64, decimals int) {
	exponent := int(math.Floor(math.Log10(least)))
	unit := math.Pow10(exponent)
	for _, r := range []struct {
		times float64
		more  int
	}{{1, 0}, {2, 0}, {2.5, 1}, {5, 0}, {10, -1}} {
		if r.times*unit >= least*(1-1e-12) {
			return r.times * unit, max(0, r.more-exponent)
		}
	}
	return 10 * unit, max(0, -exponent-1)
}

// number writes a tick's value, all of an axis with as many decimals or all with a power
// of ten.
func number(v float64, decimals int, powers bool) string {
	if powers && v != 0 {
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', 4, 64), "e")
		mantissa = strings.TrimSuffix(strings.TrimRight(mantissa, "0"), ".")
		if n, err := strconv.Atoi(exponent); err == nil {
			return minus(mantissa) + "×10" + superscript(n)
		}
	}
	if powers {
		decimals = 0
	}
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Trim(s, "-0.") == "" {
		s = strings.TrimPrefix(s, "-")
	}
	return minus(s)
}

// minus writes the sign that numbers have in print.
func minus(s string) string { return strings.ReplaceAll(s, "-", "−") }

// decadeTicks labels powers of ten on a logarithmic axis, and where there are few, 2 and 5
// between them, or all multiples; over a range too narrow for two of those, it sets the
// round numbers of a linear axis.
type decadeTicks struct{}

// Ticks implements [plot.Ticker].
func (decadeTicks) Ticks(lo, hi float64) []plot.Tick {
	if math.Log10(hi/lo) >= 2 {
		return decades(lo, hi)
	}
	for _, labelled := range []string{"125", "123456789"} {
		if ticks := multiples(lo, hi, labelled); labels(ticks) >= 2 {
			return ticks
		}
	}
	return roundTicks{4}.Ticks(lo, hi)
}

// decades labels powers of ten, with the multiples between them as ticks if there is room.
func decades(lo, hi float64) (ticks []plot.Tick) {
	first, last := int(math.Floor(math.Log10(lo))), int(math.Ceil(math.Log10(hi)))
	stride := max(1, (last-first+6)/7)
	for e := first; e <= last; e++ {
		for digit := 1; digit <= 9; digit++ {
			v := float64(digit) * math.Pow10(e)
			if v < lo*(1-1e-9) || v > hi*(1+1e-9) || (stride > 1 && digit > 1) {
				continue
			}
			label := ""
			if digit == 1 && e%stride == 0 {
				label = "10" + superscript(e)
			}
			ticks = append(ticks, plot.Tick{Value: v, Label: label})
		}
	}
	return ticks
}

// multiples are those of powers of ten, with a number where the first digit is labelled.
func multiples(lo, hi float64, labelled string) (ticks []plot.Tick) {
	for e := int(math.Floor(math.Log10(lo))); e <= int(math.Ceil(math.Log10(hi))); e++ {
		for digit := 1; digit <= 9; digit++ {
			v := float64(digit) * math.Pow10(e)
			if v < lo*(1-1e-9) || v > hi*(1+1e-9) {
				continue
			}
			label := ""
			if strings.ContainsRune(labelled, rune('0'+digit)) {
				label = number(v, max(0, -e), e < -4 || e > 5)
			}
			ticks = append(ticks, plot.Tick{Value: v, Label: label})
		}
	}
	return ticks
}

// labels counts the ticks with a number.
func labels(ticks []plot.Tick) (n int) {
	for _, t := range ticks {
		if t.Label != "" {
			n++
		}
	}
	return n
}

func superscript(n int) string {
	return digits(n, '⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹')
}

func subscript(n int) string {
	return digits(n, '₀', '₁', '₂', '₃', '₄', '₅', '₆', '₇', '₈', '₉')
}

func digits(n int, as ...rune) string {
	var out []rune
	for _, c := range strconv.Itoa(n) {
		if c == '-' {
			out = append(out, '⁻')
			continue
		}
		out = append(out, as[c-'0'])
	}
	return string(out)
}

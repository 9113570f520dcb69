package csv

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/tests/property"
	"pgregory.net/rapid"
)

// Any number is read as strconv reads it, to the last bit, and what isn't a number isn't one.
func TestAnyNumber(t *testing.T) {
	digits := func(label string, most int) *rapid.Generator[string] {
		return rapid.Custom(func(t *rapid.T) string {
			return strings.Repeat("0", rapid.IntRange(0, 2).Draw(t, label+" zeros")) + rapid.StringOfN(rapid.RuneFrom([]rune("0123456789")), 0, most, -1).Draw(t, label)
		})
	}
	property.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"", "-", "+"}).Draw(t, "sign") + digits("whole", 25).Draw(t, "whole")
		if rapid.Bool().Draw(t, "point") {
			text += "." + digits("fraction", 25).Draw(t, "fraction")
		}
		if rapid.Bool().Draw(t, "exponent") {
			text += "e" + strconv.Itoa(rapid.IntRange(-330, 310).Draw(t, "e"))
		}
		checkNumber(t, text)
	})
	property.Check(t, func(t *rapid.T) { // the floats that there are, as Go, C and Python write them
		v := math.Float64frombits(rapid.Uint64().Draw(t, "bits"))
		if rapid.Bool().Draw(t, "usual") {
			v = rapid.Float64Range(-1000, 1000).Draw(t, "v")
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			v = 0.1
		}
		format := rapid.SampledFrom([]byte("gef")).Draw(t, "format")
		checkNumber(t, strconv.FormatFloat(v, format, rapid.IntRange(-1, 20).Draw(t, "digits"), 64))
	})
	for _, text := range []string{"0.5", "1e22", "1e23", "9007199254740993", "0.000000000000000001", "18446744073709551615.0", "1.8446744073709551615", "4503599627370496.5", "4503599627370497.5", "9007199254740991.5", "1.7976931348623157e308", "1.8e308", "5e-324", "2e-324"} {
		checkNumber(t, text)
	}
	for _, text := range []string{"", "-", "+", ".", "e5", "1e", "1e+", "--1", "1x", "0x10", "1_0", "007", "-00", "1,5", "NaN", "1 2", "١"} {
		if Number(text) {
			t.Errorf("%q was taken for a number", text)
		}
	}
}

func checkNumber(t interface{ Fatalf(string, ...any) }, text string) {
	want, err := strconv.ParseFloat(text, 64)
	whole := strings.TrimLeft(text, "+-")
	named := len(whole) > 1 && whole[0] == '0' && whole[1] >= '0' && whole[1] <= '9' && !strings.Contains(whole, ".") // 007 is a name
	padded := append([]byte(text), ",                                         "...)
	if v, end, ok := decimal(padded, 0); ok && end == len(text) {
		if named || err != nil || math.Float64bits(v) != math.Float64bits(want) {
			t.Fatalf("%q was read as the decimal %v, expected %v (%v)", text, v, want, err)
		}
	}
	n, ok := scan([]byte(text), 0)
	valid := err == nil || math.IsInf(want, 0)
	if ok = ok && n.end == len(text); ok != (valid && !named) {
		t.Fatalf("%q: taken for a number is %v", text, ok)
	}
	if ok {
		if got := n.float([]byte(text)); math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("%q was read as %v, expected %v", text, got, want)
		}
		i, wrong := strconv.ParseInt(text, 10, 64)
		got, fits := n.int()
		if n.integer && (fits != (wrong == nil) || fits && got != i) {
			t.Fatalf("%q was read as %d, which fits is %v, expected %d (%v)", text, got, fits, i, wrong)
		}
	}
}

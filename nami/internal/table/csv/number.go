package csv

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"unsafe"
)

// number is a decimal number at the start of a field, as far as one look at its digits
// tells.
type number struct {
	mantissa uint64 // of the first 19 digits
	exponent int    // of 10
	negative bool
	integer  bool // digits alone, written as Go would write the integer
	cut      bool // there are more digits than mantissa holds
	end      int  // where it ends
}

// scan reads a number that starts at b[at]; ok is false if none does.
func scan(b []byte, at int) (n number, ok bool) {
	i := at
	plain := true
	if i < len(b) && (b[i] == '-' || b[i] == '+') {
		n.negative = b[i] == '-'
		plain = n.negative
		i++
	}
	first, mantissa, digits := i, uint64(0), 0
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		if digits < 19 {
			mantissa = mantissa*10 + uint64(b[i]-'0')
			if mantissa > 0 {
				digits++
			}
		} else {
			n.cut = true
			n.exponent++
		}
	}
	seen := i - first
	leadingZero := seen > 1 && b[first] == '0'
	n.integer = plain && !leadingZero
	if i < len(b) && b[i] == '.' {
		n.integer = false
		i++
		start := i
		for ; i < len(b) && b[i]-'0' <= 9; i++ {
			if digits < 19 {
				mantissa = mantissa*10 + uint64(b[i]-'0')
				if mantissa > 0 {
					digits++
				}
				n.exponent--
			} else {
				n.cut = true
			}
		}
		seen += i - start
	} else if leadingZero {
		return n, false // 007 is a name, not the number 7
	}
	if seen == 0 {
		return n, false
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		j, down := i+1, false
		if j < len(b) && (b[j] == '-' || b[j] == '+') {
			down = b[j] == '-'
			j++
		}
		start, e := j, 0
		for ; j < len(b) && b[j]-'0' <= 9; j++ {
			e = min(e*10+int(b[j]-'0'), 100_000)
		}
		if j == start {
			return n, false
		}
		if down {
			e = -e
		}
		n.exponent += e
		n.integer, i = false, j
	}
	if mantissa == 0 && n.negative {
		n.integer = false // -0 is a float
	}
	n.mantissa, n.end = mantissa, i
	return n, true
}

// decimal reads a number as most of a file are, with a point, digits on both sides and no
// exponent, eight digits at a time; ok is false if that isn't what starts at b[at], or if it
// has more than 19 digits or stands near the end of b: then [scan] tells. It has few branches, as
// signs and lengths are random and a wrong guess of the processor costs as much as all else.
func decimal(b []byte, at int) (v float64, end int, ok bool) {
	const whole, most = 10, 40 // a sign, digits, the point, and three times eight bytes
	if len(b)-at < most {
		return 0, 0, false
	}
	w := (*[most]byte)(b[at:])
	sign := uint64(0)
	if w[0] == '-' {
		sign = 1
	}
	first, mantissa := int(sign), uint64(0)
	i := first
	for ; i < whole; i++ {
		d := w[i] - '0'
		if d > 9 {
			break
		}
		mantissa = mantissa*10 + uint64(d)
	}
	if i == first || w[i] != '.' {
		return 0, 0, false
	}
	digits := i - first
	i++
	b0, b1, b2 := binary.LittleEndian.Uint64(w[i:]), binary.LittleEndian.Uint64(w[i+8:]), binary.LittleEndian.Uint64(w[i+16:])
	n0 := leading(b0)
	n1 := leading(b1) * (n0 / 8) // none unless all before are digits
	n2 := leading(b2) * (n1 / 8)
	decimals := n0 + n1 + n2
	if decimals == 0 || decimals+digits > 19 { // so that n2 is 2 at most
		return 0, 0, false
	}
	mantissa = mantissa*tens[n0] + eight(b0, n0)
	mantissa = mantissa*tens[n1] + eight(b1, n1)
	mantissa = mantissa*tens[n2] + two(b2, n2)
	if mantissa > 0 {
		v = quotient(mantissa, decimals)
	}
	return math.Float64frombits(math.Float64bits(v) | sign<<63), at + i + decimals, true
}

// leading is the number of digits that eight bytes, the first of them the lowest, start with.
func leading(bytes uint64) int {
	// A digit's value is below 10, and that of other bytes is not: the lowest of those is the
	// first in which the sum has the top bit.
	v := bytes ^ 0x3030303030303030
	return bits.TrailingZeros64((v+0x7676767676767676|v)&0x8080808080808080) / 8
}

// eight is the value of the first n of eight bytes, which are digits.
func eight(bytes uint64, n int) uint64 {
	v := (bytes ^ 0x3030303030303030) << (64 - 8*uint(n)) // as if zeros stood in front
	v = v*10 + v>>8                                       // pairs of digits, in every second byte
	const low = 0x000000ff000000ff
	return (v&low*(100+1_000_000<<32) + v>>16&low*(1+10_000<<32)) >> 32
}

// two is eight for n up to 2.
func two(bytes uint64, n int) uint64 {
	v := uint16(bytes^0x3030) << (16 - 8*uint(n))
	return uint64(v&0xff)*10 + uint64(v>>8)
}

// powers are those of 10 that float64 holds.
var powers = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// float is the nearest float64 to a number whose text is given; infinite if it is too large.
func (n number) float(text []byte) float64 {
	if n.mantissa < 1<<53 && !n.cut && n.exponent >= -22 && n.exponent <= 22 { // Clinger 1990: one rounding
		v := float64(n.mantissa)
		if n.exponent < 0 {
			v /= powers[-n.exponent]
		} else {
			v *= powers[n.exponent]
		}
		if n.negative {
			return -v
		}
		return v
	}
	if !n.cut && n.exponent < 0 && n.exponent >= -19 && n.mantissa > 0 {
		v := quotient(n.mantissa, -n.exponent)
		if n.negative {
			return -v
		}
		return v
	}
	v, _ := strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), 64) // the syntax is known, and out of range is ±Inf
	return v
}

// quotient is the float64 nearest to m/10^k, for m > 0 and k from 1 to 19, to even where it is
// halfway, from 64 digits of it. It is what strconv.ParseFloat returns, in less than half the
// time, as the digits are known.
func quotient(m uint64, k int) float64 {
	up, down := bits.LeadingZeros64(m), int(zeros[k])
	m <<= up & 63
	// Lemire (2021): 2^63·m/10^k, from 2^62 to 2^64, is a product with the reciprocal, which may
	// be 1 too small. What is left below it is never 0, as no reciprocal is exact.
	q, _ := bits.Mul64(m, reciprocals[k])
	extra := 10 + int(q>>63)
	half := uint64(1) << (extra - 1)
	mantissa := (q>>(extra-1) + 1) >> 1
	if q&(2*half-1) == half-1 { // 1 more would be half: only division tells
		var rest uint64
		q, rest = bits.Div64(m>>1, m<<63, tens[k]<<down)
		extra = 10 + int(q>>63)
		half = 1 << (extra - 1)
		mantissa = q >> extra
		if low := q & (2*half - 1); low > half || low == half && (rest > 0 || mantissa&1 == 1) {
			mantissa++
		}
	}
	return float64(int64(mantissa)) * math.Float64frombits(uint64(1023+extra-63+down-up)<<52)
}

// zeros are those in front of the powers of 10 in binary.
var zeros = func() (all [20]uint8) {
	for k := range all {
		all[k] = uint8(bits.LeadingZeros64(tens[k]))
	}
	return all
}()

// reciprocals are 2^127 divided by the powers of 10 as large as uint64 holds them.
var reciprocals = func() (all [20]uint64) {
	for k := 1; k < len(all); k++ {
		all[k], _ = bits.Div64(1<<63, 0, tens[k]<<bits.LeadingZeros64(tens[k]))
	}
	return all
}()

// tens are the powers of 10 that uint64 holds.
var tens = func() (powers [20]uint64) {
	powers[0] = 1
	for k := 1; k < len(powers); k++ {
		powers[k] = 10 * powers[k-1]
	}
	return powers
}()

// int is the integer; ok is false if int64 doesn't hold it.
func (n number) int() (v int64, ok bool) {
	switch {
	case n.cut || n.mantissa > math.MaxInt64 && !(n.negative && n.mantissa == 1<<63):
		return 0, false
	case n.negative:
		return -int64(n.mantissa), true
	}
	return int64(n.mantissa), true
}

// exact says whether v is the integer whose digits are given, and not one beside it.
func exact(v float64, digits string) bool {
	given, ok := new(big.Int).SetString(digits, 10)
	if !ok || math.IsInf(v, 0) {
		return false
	}
	held, _ := big.NewFloat(v).Int(nil)
	return held.Cmp(given) == 0
}

// Number says whether a text is a number as it stands in a file.
func Number(text string) bool {
	b := []byte(text)
	if n, ok := scan(b, 0); ok && n.end == len(b) {
		return true
	}
	_, ok := special(b)
	return ok
}

// special is infinity, in the ways that it is written.
func special(b []byte) (float64, bool) {
	sign, rest := 1, b
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		if b[0] == '-' {
			sign = -1
		}
		rest = b[1:]
	}
	switch string(rest) {
	case "inf", "Inf", "INF", "infinity", "Infinity", "INFINITY":
		return math.Inf(sign), true
	}
	return 0, false
}

// boolean reads true and false.
func boolean(b []byte) (value, ok bool) {
	switch string(b) {
	case "true", "True", "TRUE":
		return true, true
	case "false", "False", "FALSE":
		return false, true
	}
	return false, false
}

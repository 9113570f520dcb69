package table

import "math"

// Half is the value of an IEEE 754 number of 16 bits.
func Half(bits uint16) float32 {
	sign, exponent, fraction := uint32(bits>>15)<<31, int(bits>>10&31), uint32(bits&1023)
	switch {
	case exponent == 31: // infinite, or NaN
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	case exponent == 0: // subnormal
		return float32(math.Copysign(math.Ldexp(float64(fraction), -24), float64(1-2*int(bits>>15))))
	}
	return math.Float32frombits(sign | uint32(exponent-15+127)<<23 | fraction<<13)
}

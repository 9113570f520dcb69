package parquet

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"unicode/utf8"

	"github.com/nami-flow/go-nami/nami/internal/table"

	"github.com/apache/arrow-go/v18/parquet"
)

var nan = math.NaN()

// half is a float16.
func half(b parquet.FixedLenByteArray) (float32, error) {
	if len(b) != 2 {
		return 0, fmt.Errorf("a float16 of %d bytes", len(b))
	}
	return table.Half(binary.LittleEndian.Uint16(b)), nil
}

// fits is an unsigned integer of 64 bits.
func fits(v int64) (int64, error) {
	if v < 0 {
		return 0, fmt.Errorf("%d is larger than an int64 holds", uint64(v))
	}
	return v, nil
}

// nano is a time of old writers, a Julian day and the nanoseconds in it, in nanoseconds since
// 1970.
func nano(v parquet.Int96) (int64, error) {
	const epoch, day = 2_440_588, 86_400_000_000_000
	within, days := int64(binary.LittleEndian.Uint64(v[:])), int64(int32(binary.LittleEndian.Uint32(v[8:])))-epoch
	if days <= math.MinInt64/day || days >= math.MaxInt64/day || within < 0 || within > day {
		return 0, fmt.Errorf("the time is %d days and %d nanoseconds from 1970, which int64 doesn't hold in nanoseconds: leave the column out, with Options.Columns", days, within)
	}
	return days*day + within, nil
}

// decimal is the float nearest to a decimal, as of its text.
func (d *decoder) decimal(b []byte) (float64, error) {
	v := new(big.Int).SetBytes(b) // big-endian, in two's complement
	if len(b) > 0 && b[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return d.scaled(v.String())
}

func (d *decoder) decimal32(v int32) (float64, error) { return d.decimal64(int64(v)) }

func (d *decoder) decimal64(v int64) (float64, error) { return d.scaled(strconv.FormatInt(v, 10)) }

func (d *decoder) scaled(digits string) (float64, error) {
	return strconv.ParseFloat(digits+"e"+strconv.Itoa(-d.leaf.scale), 64)
}

// texter makes strings. Those that come again and again are made once.
type texter struct {
	known  map[string]string
	recent [64]string // by length and ends, for the few of a column of classes
}

// text is a text of the file.
func (t *texter) text(b parquet.ByteArray) (string, error) {
	if len(b) == 0 {
		return "", nil
	}
	place := &t.recent[(len(b)*7+int(b[0])*3+int(b[len(b)-1]))%len(t.recent)]
	if *place == string(b) {
		return *place, nil
	}
	if s, ok := t.known[string(b)]; ok {
		*place = s
		return s, nil
	}
	s := string(b)
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("%s isn't UTF-8 text: leave the column out, with Options.Columns", table.Short(s))
	}
	const most = 1000
	if t.known == nil {
		t.known = map[string]string{}
	}
	if len(t.known) < most {
		t.known[s] = s
	}
	return s, nil
}

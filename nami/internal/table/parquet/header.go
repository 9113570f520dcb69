package parquet

import (
	"encoding/binary"
	"errors"
)

// header is what the header of a page says of it.
type header struct {
	length   int64 // of the header
	packed   int64 // bytes that follow
	unpacked int64 // bytes that they become
	values   int64 // of a page of data; 0 otherwise
	sum      *uint32
}

// parseHeader reads the header at the start of b: a PageHeader in Thrift's compact protocol.
// The library reads headers too, and doesn't say where they are.
func parseHeader(b []byte) (header, error) {
	var h header
	t := &thrift{b: b}
	seen := map[int]bool{}
	t.fields(0, func(field int, kind byte) bool {
		seen[field] = true
		switch field {
		case 2:
			h.unpacked = t.integer()
		case 3:
			h.packed = t.integer()
		case 4:
			sum := uint32(t.integer())
			h.sum = &sum
		case 5, 8: // a page of data, in version 1 or 2
			t.fields(1, func(field int, kind byte) bool {
				if field == 1 {
					h.values = t.integer()
				}
				return field == 1
			})
		default:
			return false
		}
		return true
	})
	h.length = int64(t.at)
	if t.short {
		return h, errors.New("it ends within the header")
	}
	if !seen[1] || !seen[2] || !seen[3] {
		return h, errors.New("its header has no type or no size")
	}
	return h, nil
}

// thrift reads values of Thrift's compact protocol.
type thrift struct {
	b     []byte
	at    int
	short bool // b ended, or makes no sense
}

func (t *thrift) byte() byte {
	if t.at >= len(t.b) {
		t.short = true
		return 0
	}
	t.at++
	return t.b[t.at-1]
}

func (t *thrift) unsigned() uint64 {
	if t.at >= len(t.b) {
		t.short = true
		return 0
	}
	v, n := binary.Uvarint(t.b[t.at:])
	if n <= 0 {
		t.short = true
		return 0
	}
	t.at += n
	return v
}

// integer reads a number in zigzag.
func (t *thrift) integer() int64 {
	v := t.unsigned()
	return int64(v>>1) ^ -int64(v&1)
}

// fields calls each with the fields of a structure, within so many others; what it doesn't
// read is skipped.
func (t *thrift) fields(depth int, each func(field int, kind byte) bool) {
	if depth > 16 {
		t.short = true
	}
	for field := 0; !t.short; {
		head := t.byte()
		kind := head & 15
		if head == 0 {
			return
		}
		if step := int(head >> 4); step > 0 {
			field += step
		} else {
			field = int(t.integer())
		}
		if !each(field, kind) {
			t.skip(kind, depth)
		}
	}
}

// skip goes past a value.
func (t *thrift) skip(kind byte, depth int) {
	switch kind {
	case 1, 2: // a boolean, which is its kind
	case 3:
		t.byte()
	case 4, 5, 6:
		t.unsigned()
	case 7:
		t.jump(8)
	case 8:
		t.jump(t.unsigned())
	case 9, 10:
		head := t.byte()
		n := uint64(head >> 4)
		if n == 15 {
			n = t.unsigned()
		}
		for ; n > 0 && !t.short; n-- {
			if of := head & 15; of == 1 || of == 2 {
				t.byte()
			} else {
				t.skip(of, depth)
			}
		}
	case 12:
		t.fields(depth+1, func(int, byte) bool { return false })
	default: // a map, or nothing that there is: page headers have neither
		t.short = true
	}
}

func (t *thrift) jump(n uint64) {
	if n > uint64(len(t.b)-t.at) {
		t.short = true
		return
	}
	t.at += int(n)
}

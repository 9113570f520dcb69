package serve

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/table/npy"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// numbers are an array of a request.
type numbers npy.Array

// tensor is the array in a dtype; nil for none.
func (a *numbers) tensor(name string, dtype dtypes.DType) (*tensors.Tensor, error) {
	if a == nil {
		return nil, nil
	}
	if len(a.Values) == 0 {
		return nil, fmt.Errorf("%s has no values: its shape is %v", name, a.Shape)
	}
	if dtype == dtypes.Float32 {
		for i, v := range a.Values {
			single := float64(float32(v))
			switch {
			case math.IsInf(single, 0) && !math.IsInf(v, 0):
				return nil, fmt.Errorf("value %d of %s is %v, which is more than Float32 holds, in which the model computes", i, name, v)
			case a.Integers && single != v:
				return nil, fmt.Errorf("value %d of %s is the integer %.0f, which Float32, in which the model computes, can't hold exactly: send floats if rounding is meant", i, name, v)
			}
		}
	}
	return gomlx.FromFloats(dtype, a.Values, a.Shape...), nil
}

// mostAxes is how deep an array of a request may be.
const mostAxes = 16

// parseNumbers reads nested arrays of numbers, all of one length at each level, from JSON that
// is known to be well-formed. It makes nothing but the values: a body of small numbers would
// take many times its size as values of Go's own.
func parseNumbers(name string, raw []byte) (*numbers, error) {
	p := arrayParser{name: name, leaf: -1}
	p.out.Values = make([]float64, 0, 1+bytes.Count(raw, []byte{','}))
	for i := 0; i < len(raw); {
		var err error
		switch c := raw[i]; {
		case c == '[':
			err = p.open()
			i++
		case c == ']':
			err = p.close()
			i++
		case c == ',' || c == ' ' || c == '\n' || c == '\t' || c == '\r':
			i++
		case c == '-' || c >= '0' && c <= '9':
			end := i
			for end < len(raw) && strings.IndexByte("+-.eE0123456789", raw[end]) >= 0 {
				end++
			}
			err = p.number(string(raw[i:end]))
			i = end
		default:
			err = fmt.Errorf("%s is %s: expected a number", p.place(), short(firstOf(raw[i:])))
		}
		if err != nil {
			return nil, err
		}
	}
	return &p.out, nil
}

// firstOf is the beginning of a value that isn't a number.
func firstOf(raw []byte) string {
	end := bytes.IndexAny(raw, ",]}\n")
	if end < 0 {
		end = len(raw)
	}
	return string(raw[:end])
}

// arrayParser is where a parse of nested arrays is.
type arrayParser struct {
	name   string
	out    numbers
	counts []int // of each array that is open, how many elements it had so far
	leaf   int   // at which depth the numbers are, -1 if it isn't known
}

// place is the element that comes next.
func (p *arrayParser) place() string {
	var b strings.Builder
	b.WriteString(p.name)
	for _, n := range p.counts {
		fmt.Fprintf(&b, "[%d]", n)
	}
	return b.String()
}

func (p *arrayParser) open() error {
	depth := len(p.counts)
	switch {
	case p.leaf >= 0 && depth >= p.leaf:
		return fmt.Errorf("%s is an array, and there are numbers at its level before it: expected a number", p.place())
	case depth == mostAxes:
		return fmt.Errorf("%s has more than %d axes", p.name, mostAxes)
	}
	if p.counts = append(p.counts, 0); len(p.out.Shape) < len(p.counts) {
		p.out.Shape = append(p.out.Shape, -1)
	}
	return nil
}

func (p *arrayParser) close() error {
	axis := len(p.counts) - 1
	n, want := p.counts[axis], p.out.Shape[axis]
	p.counts = p.counts[:axis]
	if want < 0 {
		p.out.Shape[axis] = n
	} else if n != want {
		return fmt.Errorf("%s has %d elements, and those before it %d: expected arrays of one length", p.place(), n, want)
	}
	if n == 0 && p.leaf < 0 {
		p.leaf = axis + 1
	}
	p.count()
	return nil
}

// count counts an element.
func (p *arrayParser) count() {
	if depth := len(p.counts); depth > 0 {
		p.counts[depth-1]++
	}
}

func (p *arrayParser) number(text string) error {
	if p.leaf < 0 {
		p.leaf = len(p.counts)
	}
	if len(p.counts) != p.leaf {
		return fmt.Errorf("%s is a number, and those before it are deeper in arrays: expected an array", p.place())
	}
	v, err := strconv.ParseFloat(text, 64)
	if errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%s is %s, which is more than a float64 holds", p.place(), short(text))
	} else if err != nil {
		return fmt.Errorf("%s is %s: expected a number", p.place(), short(text))
	}
	p.out.Values = append(p.out.Values, v)
	p.count()
	return nil
}

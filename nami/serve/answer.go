package serve

import (
	"bufio"
	"net/http"
	"strconv"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/table/npy"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// write answers with what was computed.
func (a *answer) write(in request, k kind, out *tensors.Tensor) {
	dims, size := out.Shape().Dimensions, int(out.ByteSize())
	if !in.npy {
		bad, first, err := gomlx.NonFinite(out)
		if err == nil && bad > 0 {
			a.error(errorf(http.StatusUnprocessableEntity, "%d of %d values are infinite or NaN, the first at flat index %d, and JSON has no numbers for them: ask for %s with Accept", bad, out.Size(), first, typeNPY))
			return
		}
		size *= 4 // in digits
	}
	a.Header().Set("Nami-Seed", strconv.FormatInt(in.seed, 10))
	a.Header().Set("Content-Type", typeJSON)
	if in.npy {
		a.Header().Set("Content-Type", typeNPY)
	}
	a.within(size)
	w := bufio.NewWriterSize(a, 32<<10)
	err := out.ConstFlatData(func(flat any) {
		if in.npy {
			_ = npy.WriteArray(w, flat, dims) // the writer keeps its error
			return
		}
		name := map[kind]string{sampling: "samples", logProb: "logprob"}[k]
		_, _ = w.WriteString(`{"` + name + `":`)
		writeArrays(w, flat, dims)
		_, _ = w.WriteString(`,"seed":` + strconv.FormatInt(in.seed, 10) + "}\n")
	})
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		a.status = statusGone
		panic(http.ErrAbortHandler) // cut off, so that the client doesn't take it for whole
	}
}

// writeArrays writes values as nested arrays of JSON.
func writeArrays(w *bufio.Writer, flat any, dims []int) {
	at := 0
	var number func(b []byte, i int) []byte
	switch values := flat.(type) {
	case []float32:
		number = func(b []byte, i int) []byte { return appendJSON(b, float64(values[i]), dtypes.Float32) }
	case []float64:
		number = func(b []byte, i int) []byte { return appendJSON(b, values[i], dtypes.Float64) }
	}
	var write func(axis int)
	write = func(axis int) {
		if axis == len(dims) {
			_, _ = w.Write(number(w.AvailableBuffer(), at))
			at++
			return
		}
		_ = w.WriteByte('[')
		for i := range dims[axis] {
			if i > 0 {
				_ = w.WriteByte(',')
			}
			write(axis + 1)
		}
		_ = w.WriteByte(']')
	}
	write(0)
}

// appendJSON appends the shortest digits that read as the same value of a dtype.
func appendJSON(b []byte, v float64, dtype dtypes.DType) []byte {
	return strconv.AppendFloat(b, v, 'g', -1, dtype.Bits())
}

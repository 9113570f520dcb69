package modelfile_test

import (
	"os"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/modelfile"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
)

// version1 are files of version 1 as they were written then, with what their models make of the
// noise (1, -1), (0.5, 2), in the context (0, 0.5, 1) if they have one. Files and numbers stay as
// they are for ever.
var version1 = map[string][]float64{
	"testdata/version1-flow.safetensors":      {1.6581398, -1.3422638, 0.62351698, 2.0995357},
	"testdata/version1-diffusion.safetensors": {3.2224047, -0.53703153, 1.3249485, 1.8753418},
}

func TestVersion1(t *testing.T) {
	if os.Getenv("NAMI_WRITE_VERSION1") != "" { // once
		for name, f := range map[string]modelfile.File{
			"testdata/version1-flow.safetensors":      whole(t),
			"testdata/version1-diffusion.safetensors": {Model: diffusion, Store: storeOf(t, diffusion), Notes: "a diffusion"},
		} {
			if err := modelfile.Save(name, f); err != nil {
				t.Fatal(err)
			}
		}
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for name, want := range version1 {
			f, err := modelfile.Load(name)
			if err != nil {
				t.Fatal(err)
			}
			noise, context := tensors.FromValue([][]float32{{1, -1}, {0.5, 2}}), (*tensors.Tensor)(nil)
			if f.Context != nil {
				context = tensors.FromValue([][]float32{{0, 0.5, 1}})
				noise = tensors.FromValue([][][]float32{{{1, -1}}, {{0.5, 2}}})
			}
			process, err := f.Bind(backend, context)
			if err != nil {
				t.Fatal(err)
			}
			x, err := process.SampleFrom(t.Context(), noise)
			got := gomlxtest.Floats(t, x, err)
			gomlxtest.Near(t, name, got, want, 1e-5)
		}
	})
}

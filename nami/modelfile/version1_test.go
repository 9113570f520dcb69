package modelfile_test

import (
	"os"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/modelfile"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
)

// version1 are files of version 1 as they were written then, with what their models make of the
// noise 1, -1, 0.5, 2, … in two events, and of the context 0, 0.5, 1, as far as they go. Files and numbers stay as
// they are for ever.
var version1 = map[string][]float64{
	"testdata/version1-flow.safetensors":      {1.6581398, -1.3422638, 0.62351698, 2.0995357},
	"testdata/version1-units.safetensors":     {1.5382180, 2.9948022, 2.8378210, 5.0978627},
	"testdata/version1-diffusion.safetensors": {3.2224047, -0.53703153, 1.3249485, 1.8753418},
}

// inModel is the size of an event in the model's units.
func inModel(f *modelfile.File) int {
	if m, ok := f.Model.(nami.FlowMatching); ok {
		return m.Base.EventShape()[0]
	}
	return f.Event[0]
}

func TestVersion1(t *testing.T) {
	if os.Getenv("NAMI_WRITE_VERSION1") != "" { // once
		for name, f := range map[string]modelfile.File{
			"testdata/version1-flow.safetensors":      whole(t),
			"testdata/version1-diffusion.safetensors": {Model: diffusion, Store: storeOf(t, diffusion), Notes: "a diffusion"},
			"testdata/version1-units.safetensors":     fileInUnits(t),
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
			n := inModel(f)
			values := []float32{1, -1, 0.5, 2, 0.25, -0.5}[:2*n]
			noise, context := tensors.FromFlatDataAndDimensions(values, 2, n), (*tensors.Tensor)(nil)
			if f.Context != nil {
				noise = tensors.FromFlatDataAndDimensions(values, 2, 1, n)
				context = tensors.FromFlatDataAndDimensions([]float32{0, 0.5, 1}[:f.Context[0]], 1, f.Context[0])
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

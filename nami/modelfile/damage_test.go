package modelfile_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/modelfile"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/tests/property"

	"pgregory.net/rapid"
)

// small is the file of a model with few weights.
func small(t testing.TB) []byte {
	m := nami.FlowMatching{Field: field.MLP{EventShape: []int{1}, Hidden: []int{2}}, Base: distribution.NewStandardNormal(1), Solver: solver.LMS(2, 3)}
	return saved(t, modelfile.File{Model: m, Store: initialized(t, m.Field, []int{1}, nil)})
}

// contents is all that a file says, in words, but for the versions.
func contents(t rapid.TB, f *modelfile.File) string {
	var out strings.Builder
	for v := range f.Store.IterVariables() {
		fmt.Fprintln(&out, v.Path(), v.Trainable, gomlxtest.Floats(t, v.MustValue(), nil))
	}
	fmt.Fprintln(&out, f.Model, f.Event, f.Context, f.Columns, f.Units, f.Notes)
	return out.String()
}

// A file that is cut off anywhere is an error.
func TestTruncated(t *testing.T) {
	file := small(t)
	for n := range file {
		if _, err := modelfile.Read(bytes.NewReader(file[:n])); err == nil {
			t.Fatalf("the first %d of %d bytes are taken for a model", n, len(file))
		}
	}
	_, err := modelfile.Read(bytes.NewReader(file[:len(file)-1]))
	gomlxtest.Says(t, "the last byte", err, "cut off or damaged")
	_, err = modelfile.Read(bytes.NewReader(append(bytes.Clone(file), 0)))
	gomlxtest.Says(t, "a byte more", err, "cut off or damaged")
}

// A file in which bits were changed is an error, or the same model: where the change means
// nothing, such as another way to write a letter in JSON.
func TestFlippedBits(t *testing.T) {
	file := small(t)
	want := contents(t, read(t, file))
	check := func(t rapid.TB, changed []byte, what string) {
		f, err := modelfile.Read(bytes.NewReader(changed))
		if err == nil {
			if got := contents(t, f); got != want {
				t.Fatalf("%s: the model is %s, expected an error or %s", what, got, want)
			}
		}
	}
	header := int(binary.LittleEndian.Uint64(file)) + 8
	for at := range file { // each byte, and each bit of the beginning and of the weights
		bits := []int{at % 8}
		if at < 16 || at >= header {
			bits = []int{0, 1, 2, 3, 4, 5, 6, 7}
		}
		for _, bit := range bits {
			file[at] ^= 1 << bit
			check(t, file, fmt.Sprintf("bit %d of byte %d", bit, at))
			file[at] ^= 1 << bit
		}
	}
	property.Check(t, func(t *rapid.T) {
		changed := bytes.Clone(file)
		for range rapid.IntRange(1, 5).Draw(t, "changes") {
			changed[rapid.IntRange(0, len(file)-1).Draw(t, "byte")] = rapid.Byte().Draw(t, "value")
		}
		check(t, changed, "some bytes")
	})
}

// FuzzRead reads what may be anything: it must not panic, and what it takes for a model must be
// one that can be saved, and comes back.
func FuzzRead(f *testing.F) {
	file := small(f)
	f.Add(file)
	f.Add(file[:len(file)/2])
	f.Add([]byte{})
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"))
	f.Add([]byte("\x40\x00\x00\x00\x00\x00\x00\x00" + pad(`{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 64) + "\x00\x00\x80\x3f"))
	f.Add([]byte("\x60\x00\x00\x00\x00\x00\x00\x00" + pad(`{"w":{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 96)))
	f.Fuzz(func(t *testing.T, file []byte) {
		got, err := modelfile.Read(bytes.NewReader(file))
		if err != nil {
			return
		}
		if again := read(t, saved(t, *got)); contents(t, again) != contents(t, got) {
			t.Errorf("%v comes back as %v", got, again)
		}
	})
}

// FuzzDescription reads a description that anybody may have written, with weights that are right.
func FuzzDescription(f *testing.F) {
	for _, text := range []string{
		described("[2]", mlp, normal, euler),
		described("[2]", `{"type":"field.Scoped","parameters":{"Scope":"a","Field":`+mlp+`}}`, `{"type":"distribution.LearnedNormal","parameters":{"Event":[2]}}`, euler),
		described("[2]", mlp, `{"type":"distribution.DiagonalNormal","parameters":{"Event":[2],"Loc":{"Shape":[2],"Values":[1,2]},"Scale":{"Shape":[2],"Values":[1,2]}}}`, `{"Method":{"type":"solver.AdditiveNoise","parameters":{"Scheme":"SRA1"}},"Steps":3}`),
		`{"version":1,"event":[2],"context":null,"training":{},"columns":{"x":["a","b"]},"units":{"a":"m"},"model":{"type":"nami.Diffusion","parameters":{"Field":` + mlp + `,"Prediction":"x0","Schedule":{"type":"schedule.EDM"},"EventShape":[2],"Solver":{"Grid":{"type":"solver.Times","parameters":[1,0]}}}}}`,
		`{"version":1}`,
	} {
		f.Add(text)
	}
	store := storeOf(f, diffusion)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := modelfile.Read(bytes.NewReader(crafted(t, store, text)))
		if err != nil {
			return
		}
		if again := read(t, saved(t, *got)); contents(t, again) != contents(t, got) {
			t.Errorf("%v comes back as %v", got, again)
		}
	})
}

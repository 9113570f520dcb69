package modelfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/modelfile"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomlxmodel "github.com/gomlx/gomlx/ml/model"
	"golang.org/x/sync/errgroup"
)

// All that a file says comes back, from a path, a file system and a reader.
func TestSaveAndLoad(t *testing.T) {
	f := whole(t)
	f.Training = modelfile.Training{
		Steps: 70, Loss: 0.3, Validation: &train.Validated{Steps: 50, Loss: 0.25}, Seed: -7,
		Duration: 3 * time.Second, Finished: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Stopped: "patience", Go: "go1.0",
	}
	name := filepath.Join(t.TempDir(), "model.safetensors")
	if err := modelfile.Save(name, f); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for from, load := range map[string]func() (*modelfile.File, error){
		"path": func() (*modelfile.File, error) { return modelfile.Load(name) },
		"FS": func() (*modelfile.File, error) {
			return modelfile.LoadFS(os.DirFS(filepath.Dir(name)), "model.safetensors")
		},
		"mapFS": func() (*modelfile.File, error) { return modelfile.LoadFS(fstest.MapFS{"a/b": {Data: raw}}, "a/b") },
		"reader": func() (*modelfile.File, error) {
			return modelfile.Read(iotest.OneByteReader(strings.NewReader(string(raw))))
		},
	} {
		got, err := load()
		if err != nil {
			t.Fatalf("%s: %v", from, err)
		}
		if fmt.Sprint(got.Model) != fmt.Sprint(f.Model) {
			t.Errorf("%s: the model is %v, expected %v", from, got.Model, f.Model)
		}
		if !reflect.DeepEqual(got.Event, []int{2}) || !reflect.DeepEqual(got.Context, []int{3}) {
			t.Errorf("%s: event and context are %v and %v", from, got.Event, got.Context)
		}
		if !reflect.DeepEqual(got.Columns, f.Columns) || !reflect.DeepEqual(got.Units, f.Units) || got.Notes != f.Notes {
			t.Errorf("%s: %+v, %v and %q come back", from, got.Columns, got.Units, got.Notes)
		}
		want := f.Training
		want.Nami, want.GoMLX = got.Training.Nami, got.Training.GoMLX // of this program
		if !reflect.DeepEqual(got.Training, want) {
			t.Errorf("%s: the record is %+v, expected %+v", from, got.Training, want)
		}
		if names := got.Weights; len(names) != 0 {
			t.Errorf("%s: there are weights of the names %v", from, names)
		}
		if err := got.Compare(f); err != nil {
			t.Errorf("%s: %v", from, err)
		}
	}
}

// Several goroutines load one file, and save what they loaded, at once.
func TestConcurrent(t *testing.T) {
	file := saved(t, whole(t))
	var group errgroup.Group
	for range 4 {
		group.Go(func() error {
			f, err := modelfile.Read(bytes.NewReader(file))
			if err != nil {
				return err
			}
			var again bytes.Buffer
			if err := f.Write(&again); err != nil {
				return err
			}
			_, err = modelfile.Read(&again)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

// A value may be given as a pointer, at the top and below.
func TestPointers(t *testing.T) {
	f := modelfile.File{
		Model: &nami.FlowMatching{Field: &field.MLP{EventShape: []int{2}, Hidden: []int{4}}, Base: distribution.NewStandardNormal(2), Solver: solver.RK4(4)},
		Store: initialized(t, field.MLP{EventShape: []int{2}, Hidden: []int{4}}, []int{2}, nil),
	}
	loaded := read(t, saved(t, f))
	if _, ok := loaded.Model.(nami.FlowMatching); !ok {
		t.Errorf("the model is a %T, expected a value", loaded.Model)
	}
	same(t, gomlxtest.Go(t), modelfile.File{Model: f.Model, Store: f.Store}, *loaded)
}

// Moving averages and the best weights are in the file, and loaded by name. What isn't
// trainable stays so, and what the optimiser kept isn't there.
func TestWeightsByName(t *testing.T) {
	f := modelfile.File{Model: diffusion, Store: storeOf(t, diffusion)}
	biases := "/mlp/layer_1/dense/biases"
	f.Store.GetVariable(biases).SetTrainable(false)
	f.Store.VariableWithValue("/nami/averages/ema"+biases, []float32{1, 2}).SetTrainable(false)
	f.Store.VariableWithValue("/nami/best"+biases, []float32{3, 4}).SetTrainable(false)
	f.Store.VariableWithValue("/nami/steps", int64(7)).SetTrainable(false)
	f.Store.VariableWithValue("/AdamOptimizer/m", []float32{9}).SetTrainable(false)
	file := saved(t, f)
	for which, want := range map[string][]float32{"ema": {1, 2}, train.Best: {3, 4}} {
		loaded := read(t, file, which)
		got := gomlxtest.Floats(t, loaded.Store.GetVariable(biases).MustValue(), nil)
		if fmt.Sprint(got) != fmt.Sprint(want) || loaded.Store.GetVariable(biases).Trainable || loaded.Store.NumVariables() != 4 {
			t.Errorf("%s: the biases are %v of %d variables, expected %v, frozen, of 4", which, got, loaded.Store.NumVariables(), want)
		}
		if fmt.Sprint(loaded.Weights) != "[best ema]" {
			t.Errorf("there are weights of the names %v", loaded.Weights)
		}
	}
	_, err := modelfile.Read(strings.NewReader(string(file)), "emma")
	gomlxtest.Says(t, "a name that isn't there", err, `there are no weights of the name "emma": there are the weights themselves, "best", "ema"`)
	_, err = modelfile.Read(strings.NewReader(string(file)), "ema", "best")
	gomlxtest.Says(t, "two names", err, "2 names of weights")
}

// A model in float64 computes in it without being told.
func TestFloat64(t *testing.T) {
	double, err := nami.Convert(storeOf(t, diffusion), dtypes.Float64)
	if err != nil {
		t.Fatal(err)
	}
	f := modelfile.File{Model: diffusion, Store: double}
	loaded := read(t, saved(t, f))
	if loaded.DType() != dtypes.Float64 {
		t.Errorf("the dtype is %s", loaded.DType())
	}
	same(t, gomlxtest.Go(t), f, *loaded)
}

var inf = math.Inf(1)

// ring is a field of the user's.
type ring struct {
	Radius float64
	Seed   int64
	Inner  field.Field
}

func (r ring) EventRank() int { return 1 }

func (r ring) Apply(_ *gomlxmodel.Scope, x, _, _ *Node) *Node { return MulScalar(x, -r.Radius) }

// scale is a field of the user's whose methods have pointer receivers.
type scale struct{ By []float64 }

func (s *scale) EventRank() int { return 1 }

func (s *scale) Apply(_ *gomlxmodel.Scope, x, _, _ *Node) *Node { return MulScalar(x, s.By[0]) }

// loop is a field that holds itself.
type loop struct {
	ring
	Self *loop
}

// stranger is one that is never registered.
type stranger struct{ ring }

// hidden keeps something to itself.
type hidden struct{ ring }

// Types of the user's are registered by a name; one that isn't is an error that says so, on
// both sides.
func TestRegister(t *testing.T) {
	modelfile.Register[ring]("test/ring")
	modelfile.Register[ring]("test/ring") // again, as in a cell that is run twice
	m := nami.FlowMatching{Field: ring{Radius: 0.5, Seed: 1 << 60, Inner: network}, Base: distribution.NewStandardNormal(2), Solver: solver.Euler(2)}
	f := modelfile.File{Model: m, Store: storeOf(t, diffusion)}
	file := saved(t, f)
	loaded := read(t, file)
	if !reflect.DeepEqual(loaded.Model.(nami.FlowMatching).Field.(ring).Seed, int64(1<<60)) {
		t.Errorf("the field comes back as %+v", loaded.Model)
	}
	same(t, gomlxtest.Go(t), f, *loaded)

	modelfile.Register[*scale]("test/scale")
	m.Field = &scale{By: []float64{-2}}
	f.Model = m
	same(t, gomlxtest.Go(t), f, *read(t, saved(t, f)))
	modelfile.Register[loop]("test/loop")
	self := &loop{}
	self.Self = self
	m.Field = *self
	f.Model = m
	_, err := f.Describe(f.Store, nil)
	gomlxtest.Says(t, "a part in itself", err, "is nested more than 100 levels deep: does it point to itself?")

	for want, register := range map[string]func(){
		`the name "test/ring" is that of modelfile_test.ring already`:    func() { modelfile.Register[stranger]("test/ring") },
		`modelfile_test.ring is registered as "test/ring" already`:       func() { modelfile.Register[ring]("test/other") },
		`expected letters, digits, dots, slashes`:                        func() { modelfile.Register[stranger]("my ring") },
		`is to be an interface: register the types that implement it`:    func() { modelfile.Register[field.Field]("test/field") },
		`is to be a func(), which no file can hold: register a struct w`: func() { modelfile.Register[func()]("test/f") },
	} {
		gomlxtest.Says(t, "Register", panicked(register), want)
	}
}

func panicked(f func()) (err error) {
	defer func() { err, _ = recover().(error) }()
	f()
	return nil
}

// What can't be saved is an error that says why, and how to mend it.
func TestSaveRefuses(t *testing.T) {
	modelfile.Register[hidden]("test/hidden")
	with := func(change func(f *modelfile.File)) modelfile.File {
		f := whole(t)
		change(&f)
		return f
	}
	model := func(m modelfile.Model) modelfile.File {
		return with(func(f *modelfile.File) { f.Model, f.Columns, f.Units = m, data.Columns{}, nil })
	}
	fieldOf := func(change func(m *nami.FlowMatching)) modelfile.File {
		m := flow
		change(&m)
		return model(m)
	}
	guided := diffusion
	guided.Guidance = func(_ *gomlxmodel.Scope, _, _, _, eps *Node) *Node { return eps }
	for want, f := range map[string]modelfile.File{
		"the Model is nil": {},
		"Model.Field is a field.Func, which is made of functions, and no file can hold those: make it a type of your own": fieldOf(func(m *nami.FlowMatching) {
			m.Field = field.Func{Rank: 1, F: func(_ *gomlxmodel.Scope, x, _, _ *Node) *Node { return x }}
		}),
		"Model.Path is a path.Affine, which is made of functions":                                            fieldOf(func(m *nami.FlowMatching) { m.Path = path.Affine{} }),
		"Model.Guidance is a function, which no file can hold: leave it out and set it after loading":        model(guided),
		"Model.Field is a modelfile_test.stranger, which is unknown here: register it by modelfile.Register": fieldOf(func(m *nami.FlowMatching) { m.Field = stranger{} }),
		"whose field ring isn't exported":                                                                    fieldOf(func(m *nami.FlowMatching) { m.Field = hidden{ring: ring{Radius: 1}} }),
		"Model.Solver.RTol is +Inf: a file holds finite numbers":                                             fieldOf(func(m *nami.FlowMatching) { m.Solver.RTol = inf }),
		"Model.Solver.Steps is 10000000: nothing in the file bears out":                                      fieldOf(func(m *nami.FlowMatching) { m.Solver.Steps = 10_000_000 }),
		"the Model's Field is nil":                                                                           fieldOf(func(m *nami.FlowMatching) { m.Field = nil }),
		"the solver has no method":                                                                           fieldOf(func(m *nami.FlowMatching) { m.Solver = solver.Solver{} }),
		"BetaMin is 1 and BetaMax 0":                                                                         model(nami.Diffusion{Field: network, Schedule: schedule.VP{BetaMin: 1}, Solver: solver.Euler(2), EventShape: []int{2}}),
		"the Model's Base is nil":                                                                            fieldOf(func(m *nami.FlowMatching) { m.Base = nil }),
		"the Store is nil":                                                                                   with(func(f *modelfile.File) { f.Store = nil }),
		"the weights aren't those of the model: /mlp/layer_0/dense/biases":                                   with(func(f *modelfile.File) { f.Store = gomlxmodel.NewStore() }),
		`requested to reuse variable "/mlp/layer_0/dense/weights", but with differe`:                         fieldOf(func(m *nami.FlowMatching) { m.Field = field.MLP{EventShape: []int{2}, Hidden: []int{5}, ContextDim: 3} }),
		"the field's events have rank 1, and the model's the shape (2, 2)":                                   fieldOf(func(m *nami.FlowMatching) { m.Base = distribution.NewStandardNormal(2, 2) }),
		"the Event is (3), and the model's events have the shape (2)":                                        with(func(f *modelfile.File) { f.Event = []int{3} }),
		"the Columns' X names 1 columns, energy, and an event of shape (2) has 2 values":                     with(func(f *modelfile.File) { f.Columns.X = []string{"energy"} }),
		"the Columns have no Context and no Classes, and the model takes contexts":                           with(func(f *modelfile.File) { f.Columns.Context, f.Columns.Classes, f.Context = nil, nil, []int{3} }),
		`the classes of "kind" have no names`:                                                                with(func(f *modelfile.File) { f.Columns.Classes = []data.Class{{Column: "kind"}} }),
		`the Units have the column "enrgy", which isn't one of the Columns`:                                  with(func(f *modelfile.File) { f.Units = map[string]string{"enrgy": "GeV"} }),
		"2 of 2 values of the weight /mlp/layer_1/dense/biases are NaN or infinite": with(func(f *modelfile.File) {
			if err := f.Store.GetVariable("/mlp/layer_1/dense/biases").SetValue(tensors.FromValue([]float32{float32(inf), float32(inf)})); err != nil {
				t.Fatal(err)
			}
		}),
	} {
		name := filepath.Join(t.TempDir(), "model.safetensors")
		err := modelfile.Save(name, f)
		gomlxtest.Says(t, want, err, want)
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a file was written (%v)", want, err)
		}
	}
	gomlxtest.Says(t, "a folder", modelfile.Save(t.TempDir(), whole(t)), "is a folder: expected the name of a file")
	gomlxtest.Says(t, "no path", modelfile.Save("", whole(t)), "the path is empty")
}

// What isn't there, or isn't a model of nami's, is an error that says what it is instead.
func TestLoadRefuses(t *testing.T) {
	folder := t.TempDir()
	write := func(name, content string) string {
		name = filepath.Join(folder, name)
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	empty := filepath.Join(folder, "empty folder")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	for want, name := range map[string]string{
		"the path is empty": "",
		"there is no file and no folder " + filepath.Join(folder, "none"): filepath.Join(folder, "none"),
		"holds no checkpoint":         empty,
		"it is empty":                 write("empty", ""),
		"a PyTorch file (torch.save)": write("torch.pt", "PK\x03\x04\x00\x00\x08\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10\x00\x12\x00archive/data.pklFB"),
		"a Python pickle":             write("old.pt", "\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M"),
		"an HDF5 file":                write("keras.h5", "\x89HDF\r\n\x1a\n\x00\x00\x00\x00\x00\x08\x08\x00"),
		"an ONNX model":               write("model.onnx", "\x08\x0a\x12\x07pytorch\x1a\x052.9.0:\x91\x01\n"),
		"a NumPy array":               write("x.npy", "\x93NUMPY\x01\x00v\x00{'descr'"),
		"a NumPy archive":             write("x.npz", "PK\x03\x04\x2d\x00\x00\x00\x00\x00\x00\x00!\x00\xa4_x.npy"),
		"a Parquet file":              write("x.parquet", "PAR1\x15\x04\x15\x10"),
		"compressed by gzip":          write("x.gz", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b\x04"),
		`a text, which begins with "energy,mass\n1,2`: write("x.csv", "energy,mass\n1,2\n"),
		"in no format that is known":                  write("noise", "\xff\x01\xfe\x00\x00\x99\x88\x77\x66\x55"),
		"a safetensors file of another program":       write("plain.safetensors", "\x40\x00\x00\x00\x00\x00\x00\x00"+pad(`{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 64)+"\x00\x00\x80\x3f"),
	} {
		_, err := modelfile.Load(name)
		gomlxtest.Says(t, want, err, want)
	}
	_, err := modelfile.LoadFS(os.DirFS(folder), "empty folder")
	gomlxtest.Says(t, "a folder", err, "is a folder")
	_, err = modelfile.LoadFS(os.DirFS(folder), "none")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, expected that it doesn't exist", err)
	}
	_, err = modelfile.Read(iotest.ErrReader(fs.ErrClosed))
	if !errors.Is(err, fs.ErrClosed) {
		t.Errorf("got %v, expected the reader's error", err)
	}
	_, err = modelfile.Read(nil)
	gomlxtest.Says(t, "no reader", err, "the reader is nil")
	_, err = modelfile.File{}.Bind(gomlxtest.Go(t), nil)
	gomlxtest.Says(t, "no model", err, "the Model is nil")
	_, err = modelfile.File{Model: flow}.Bind(gomlxtest.Go(t), nil)
	gomlxtest.Says(t, "no store", err, "the Store is nil")
}

func pad(s string, n int) string { return s + strings.Repeat(" ", n-len(s)) }

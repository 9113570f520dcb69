package embedding_test

import (
	"math"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/embedding"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

var all = []field.Embedding{
	embedding.MLP{In: 5, Values: 3},
	embedding.Classes{Count: 4, Values: 3},
	embedding.Series{Length: 19, Channels: 2, Values: 3, Width: 4},
	embedding.Image{Height: 9, Width: 10, Channels: 1, Values: 3, Filters: 2},
	embedding.Parts{{Of: embedding.Classes{Count: 3, Values: 2}, Optional: true}, {In: 2}, {Of: embedding.Series{Length: 6, Channels: 1, Values: 2, Width: 2}}},
	embedding.Set{Count: 3, Features: 2, Values: 3, Width: 4},
	embedding.Set{Count: 3, Features: 2, Values: 3, Width: 4, Varying: true},
}

func embedded(e field.Embedding) field.Field {
	return field.Embedded{Field: field.MLP{EventShape: []int{2}, Hidden: []int{4}, ContextDim: e.Size()}, Embedding: e}
}

// A field with any of the embeddings is a field: see [field.Check], whose contexts are no numbers
// of classes.
func TestEmbeddedFields(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for i, e := range all {
			if _, classes := e.(embedding.Classes); classes || backends.Few(backend) && !backends.Runs(i) {
				continue
			}
			if err := field.Check(backend, embedded(e), []int{2}, e.ContextShape()); err != nil {
				t.Errorf("%v: %v", e, err)
			}
		}
	})
}

// embed is what an embedding makes of conditions, [n, condition], with weights away from zero.
func embed(t *testing.T, backend compute.Backend, e field.Embedding, conditions ...[]float64) [][]float64 {
	t.Helper()
	store := model.NewStore()
	if err := store.SetRNGStateFromSeed(1); err != nil {
		t.Fatal(err)
	}
	dims := append([]int{len(conditions)}, e.ContextShape()...)
	c := tensors.FromFlatDataAndDimensions(slices.Concat(conditions...), dims...)
	out, err := model.CallOnce(backend, store, func(scope *model.Scope, c *Node) *Node { return e.Embed(scope, c) }, c)
	flat := gomlxtest.Floats(t, out, err)
	var rows [][]float64
	for i := range conditions {
		rows = append(rows, flat[i*e.Size():][:e.Size()])
	}
	return rows
}

// The order of a set means nothing, and neither does what fills it up; how many there are does.
func TestSetOrder(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		v := embed(t, backend, embedding.Set{Count: 3, Features: 2, Values: 4}, []float64{1, 2, 3, 4, 5, -1}, []float64{5, -1, 1, 2, 3, 4}, []float64{5, -1, 1, 2, 3, 5})
		gomlxtest.Near(t, "another order", v[1], v[0], 1e-12)
		if slices.Equal(v[2], v[0]) {
			t.Error("another observation changes nothing")
		}
		nan := math.NaN()
		v = embed(t, backend, embedding.Set{Count: 3, Features: 2, Values: 4, Varying: true},
			[]float64{1, 1, 2, 1, 0, 0}, []float64{2, 1, nan, 0, 1, 1}, []float64{1, 1, 2, 1, 1, 1}, []float64{0, 0, 0, 0, 0, 0})
		gomlxtest.Near(t, "other filling", v[1], v[0], 1e-12)
		if slices.Equal(v[2], v[0]) || !slices.ContainsFunc(v[3], func(x float64) bool { return x != 0 && !math.IsNaN(x) }) {
			t.Errorf("three observations make %v, two %v, none %v", v[2], v[0], v[3])
		}
	})
}

// Each class has a vector of its own, and a number that is none the vector 0. A part that is
// missing has one that is learned, and starts at 0, whatever stands in its place.
func TestClassesAndParts(t *testing.T) {
	backend := gomlxtest.Go(t)
	v := embed(t, backend, embedding.Classes{Count: 3, Values: 2}, []float64{0}, []float64{1}, []float64{2}, []float64{1.2}, []float64{3}, []float64{-1})
	if slices.Equal(v[0], v[1]) || slices.Equal(v[1], v[2]) {
		t.Errorf("classes 0 to 2 have the vectors %v", v[:3])
	}
	gomlxtest.Near(t, "a class that was rounded", v[3], v[1], 0)
	gomlxtest.Near(t, "no class", slices.Concat(v[4], v[5]), make([]float64, 4), 0)
	parts := embedding.Parts{{In: 2}, {Of: embedding.Classes{Count: 3, Values: 2}, Optional: true}}
	v = embed(t, backend, parts, []float64{5, 6, 1, 2}, []float64{5, 6, 0, 2}, []float64{5, 6, 0, math.NaN()})
	gomlxtest.Near(t, "what is taken as it is", slices.Concat(v[0][:2], v[1][:2]), []float64{5, 6, 5, 6}, 0)
	gomlxtest.Near(t, "what is missing", slices.Concat(v[1][2:], v[2][2:]), make([]float64, 4), 0)
	if v[0][2] == 0 || v[0][3] == 0 {
		t.Errorf("what isn't missing is %v", v[0])
	}
}

// Early and late aren't the same in a series.
func TestSeriesKnowsPlaces(t *testing.T) {
	early, late := make([]float64, 40), make([]float64, 40)
	early[4], late[30] = 1, 1
	v := embed(t, gomlxtest.Go(t), embedding.Series{Length: 40, Channels: 1, Values: 3}, early, late)
	if distance := math.Hypot(v[0][0]-v[1][0], v[0][1]-v[1][1]); distance < 0.01 {
		t.Errorf("early makes %v, late %v", v[0], v[1])
	}
}

// Dropped contexts teach the vector that stands for none, and nothing of the embedding; without a
// context the field is given that vector.
func TestNoContext(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		inner := field.MLP{EventShape: []int{2}, Hidden: []int{4}, ContextDim: 3}
		f := field.Embedded{Field: inner, Embedding: embedding.Classes{Count: 2, Values: 3}}
		store := model.NewStore()
		null := tensors.FromFlatDataAndDimensions([]float64{1, -2, 0.5}, 3)
		if _, err := store.RootScope().CreateVariable("null_embedding", null); err != nil {
			t.Fatal(err)
		}
		out, err := model.CallOnceN(backend, store, func(scope *model.Scope, x, null *Node) []*Node {
			half := ConstAs(x, 0.5)
			without := field.Call(field.Unconditional{Field: f, ContextShape: []int{1}}, scope, x, half, nil)
			value := ReduceAllSum(without)
			grads := scope.BuildTrainableVariablesGradientsGraph(value)
			moved := make([]*Node, 2)
			i := 0
			for v := range scope.Store().IterVariables() {
				if !v.Trainable || !v.InUseByGraph(x.Graph()) {
					continue
				}
				if k := slices.Index([]string{"classes", "null_embedding"}, v.Name()); k >= 0 {
					moved[k] = ReduceAllSum(Abs(grads[i]))
				}
				i++
			}
			return append([]*Node{without, field.Call(inner, scope, x, half, null)}, moved...)
		}, [][]float64{{1, 2}}, [][]float64{{1, -2, 0.5}})
		if err != nil {
			t.Fatal(err)
		}
		gomlxtest.Near(t, "without a context", gomlxtest.Floats(t, out[0], nil), gomlxtest.Floats(t, out[1], nil), 1e-12)
		classes, none := gomlxtest.Floats(t, out[2], nil)[0], gomlxtest.Floats(t, out[3], nil)[0]
		if classes != 0 || !(none > 0) {
			t.Errorf("the derivative by the classes is %v, and by the vector of no context %v: expected 0, and more", classes, none)
		}
	})
}

// What is wrong is said before anything is computed.
func TestBad(t *testing.T) {
	backend := gomlxtest.Go(t)
	for want, e := range map[string]field.Embedding{
		"MLP: In is 0":                      embedding.MLP{Values: 3},
		"Hidden [0]":                        embedding.MLP{In: 1, Values: 3, Hidden: []int{0}},
		"Classes: Count is 0":               embedding.Classes{Values: 1},
		"Series: Length is 0":               embedding.Series{Channels: 1, Values: 1},
		"Image: Height is 3, Width -1":      embedding.Image{Height: 3, Width: -1, Channels: 1, Values: 1},
		"where Varying, Features has at":    embedding.Set{Count: 1, Features: 1, Values: 1, Varying: true},
		"Parts: there is none":              embedding.Parts{},
		"part 1 has no embedding, and In":   embedding.Parts{{In: 1}, {}},
		"part 0 has an embedding, and In":   embedding.Parts{{In: 1, Of: embedding.Classes{Count: 2, Values: 1}}},
		"part 0: embedding.Classes: Count ": embedding.Parts{{Of: embedding.Classes{Values: 1}}},
	} {
		f := field.Embedded{Field: field.MLP{EventShape: []int{2}, ContextDim: 1}, Embedding: e}
		gomlxtest.Says(t, want, field.Validate(f), want)
	}
	gomlxtest.Says(t, "no embedding", field.Validate(field.Embedded{Field: field.MLP{}}), "Embedding is nil")
	_, err := model.CallOnce(backend, model.NewStore(), func(scope *model.Scope, x, c *Node) *Node {
		return field.Call(embedded(all[0]), scope, x, ConstAs(x, 0.5), c)
	}, [][]float64{{1, 2}}, [][]float64{{1, 2, 3, 4}})
	gomlxtest.Says(t, "another number of values", err, "embedding.MLP: the contexts are (Float64)[1, 4]: they must end in the axes of one condition, (5)")
}

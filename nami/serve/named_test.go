package serve_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/serve"
	"github.com/nami-flow/go-nami/nami/transform"
)

// jets are the columns of network: four values on an energy and one of two classes.
var jets = data.Columns{
	X: []string{"pt", "eta", "phi", "mass"}, Context: []string{"energy"},
	Classes: []data.Class{{Column: "kind", Names: []string{"gluon", "quark"}}},
}

// With names, a context is the same as in numbers, and what is wrong with a request is said in
// the names of columns and classes.
func TestNames(t *testing.T) {
	backend := gomlxtest.Go(t)
	flow := network
	flow.Transform = transform.Columns{{Of: []int{0}, By: transform.Logarithm{}}}
	process, err := flow.Bind(backend, drawn(t, backend), single(0, 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	ready := 0
	url := start(t, newHandler(t, process, serve.Config{
		Batches: []int{8}, Estimator: divergence.Exact{}, Columns: jets, MaxEvents: 20, Ready: func() { ready++ },
	}))
	if ready != 1 {
		t.Errorf("Ready was called %d times", ready)
	}
	sample := func(body string) reply { return post(t, url+"/sample", jsonType, []byte(body)) }
	want, _ := sample(`{"context": [1.5, 0, 1], "n": 3, "seed": 7}`).samples(t, "numbers")
	got, _ := sample(`{"context": {"kind": "quark", "energy": 1.5}, "n": 3, "seed": 7}`).samples(t, "names")
	gomlxtest.Near(t, "by names", slices.Concat(got...), slices.Concat(want...), 1e-6)
	two := sample(`{"context": [{"kind": "quark", "energy": 1.5}, {"energy": 2, "kind": "gluon"}], "n": 1, "seed": 7}`)
	if two.status != 200 || string(two.body) != string(sample(`{"context": [[1.5, 0, 1], [2, 1, 0]], "n": 1, "seed": 7}`).body) {
		t.Errorf("a list of names is answered by %d %s", two.status, two.body)
	}
	const hint = `a context is the numbers [energy, kind=gluon, kind=quark], 1 for the class and 0 for the others, or {"energy": 1.5, "kind": "gluon"}`
	for body, says := range map[string]string{
		`{"context": [1.5, 1, 1]}`:                                 `in context 0 the values of "kind" are [1 1]: expected 1 for one of the classes gluon, quark, in this order, and 0 for the others`,
		`{"context": [1.5, 0, 0]}`:                                 `the values of "kind" are [0 0]`,
		`{"context": [1.5, 5, 0]}`:                                 `the values of "kind" are [5 0]`,
		`{"context": [1.5, 0.5, 1]}`:                               `the values of "kind" are [0.5 1]`,
		`{"context": [[1, 1, 0], [1.5, -1, 1]]}`:                   `in context 1 the values of "kind" are [-1 1]`,
		`{"context": ["gluon"]}`:                                   hint,
		`{"context": [1, 0]}`:                                      hint,
		`{"n": 1}`:                                                 hint,
		`{"kind": "gluon"}`:                                        hint,
		`{"context": {"kind": "gluon"}}`:                           `there is no "energy": expected the columns energy, kind`,
		`{"context": {"energy": 1}}`:                               `there is no "kind"`,
		`{"context": {"energy": 1, "kind": "Gluon"}}`:              `"kind" is "Gluon": expected one of the classes gluon, quark`,
		`{"context": {"energy": "1", "kind": "gluon"}}`:            `"energy" is "1": expected a number`,
		`{"context": {"energy": 1, "kind": "gluon", "pt": 1}}`:     `it has "pt": expected the columns energy, kind`,
		`{"context": [{"energy": 1, "kind": "gluon"}, [1, 0, 1]]}`: `context[1] isn't an object`,
		`{"context": [{"energy": 1, "kind": "gluon"}, {"e": 2}]}`:  `context[1]: it has "e"`,
		`{"context": [` + strings.Repeat(`{"energy": 1, "kind": "gluon"},`, 21) + `{}]}`: "context has more than 20 elements",
		`{"context": {"energy": 1e999, "kind": "gluon"}}`:                                "more than a float64 holds",
	} {
		sample(body).says(t, body[:min(len(body), 60)], 400, says)
	}
	logProb := func(x string) reply {
		return post(t, url+"/logprob", jsonType, fmt.Appendf(nil, `{"x": %s, "context": {"energy": 1, "kind": "gluon"}}`, x))
	}
	logProb(`[1, 2, 3]`).says(t, "three values", 400, "an event is the numbers [pt, eta, phi, mass]")
	logProb(`["a", 2, 3, 4]`).says(t, "a text", 400, "an event is the numbers [pt, eta, phi, mass]")
	logProb(`[[1, 2, 3, 4], [-20, 2, 3, 4]]`).says(t, "outside", 400, `in event 1 of x, "pt" is -20: `)
	if r := logProb(`[1, 2, 3, 4]`); r.status != 200 {
		t.Errorf("an event is answered by %d %s", r.status, r.body)
	}
	if r := get(t, url+"/"); !strings.Contains(string(r.body), `"noisy":false`) {
		t.Errorf("GET / says %s", r.body)
	}
}

// Columns that aren't those of the model are refused, and so are classes in a Batcher's calls;
// names are an error where nobody knows them.
func TestUnknownNames(t *testing.T) {
	backend := gomlxtest.Go(t)
	process, err := network.Bind(backend, drawn(t, backend), single(0, 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	_, err = serve.NewBatcher(process, serve.Config{Columns: data.Columns{X: []string{"pt"}}})
	gomlxtest.Says(t, "too few", err, "the Columns' X names 1 columns, and an event has 4 values")
	_, err = serve.NewBatcher(process, serve.Config{Columns: data.Columns{Context: []string{"energy"}}})
	gomlxtest.Says(t, "a small context", err, "the Columns make contexts of 1 values, and the model's have 3")
	b := newBatcher(t, process, serve.Config{Batches: []int{8}, Columns: jets})
	_, err = b.Sample(context.Background(), serve.Sample{Context: single(0, 1, 1), N: 1})
	gomlxtest.Says(t, "two classes", err, `the values of "kind" are [1 1]`)
	url := start(t, newHandler(t, process, serve.Config{Batches: []int{8}}))
	post(t, url+"/sample", jsonType, []byte(`{"context": {"kind": "gluon"}}`)).says(t, "names", 400, "this server doesn't know any: expected numbers")
}

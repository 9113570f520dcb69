package distribution_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Distributions come back from JSON as they were, batches too.
func TestJSON(t *testing.T) {
	normal, err := distribution.NewDiagonalNormal(tensors.FromValue([][]float64{{0, 1e7}, {2, 1. / 3}}), tensors.FromValue([][]float64{{1, 1}, {2, 1e-30}}), 1)
	if err != nil {
		t.Fatal(err)
	}
	mixture, err := distribution.NewGaussianMixture(tensors.FromValue([]float64{1, 2, 4}), tensors.FromValue([]float64{0, 1, 2}), tensors.FromValue([]float64{1, 1, 3}), 0)
	if err != nil {
		t.Fatal(err)
	}
	box, err := distribution.UniformBox(-1, 1./3, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]any{
		{distribution.NewStandardNormal(), new(distribution.StandardNormal)},
		{distribution.NewStandardNormal(2, 3).Expand(4), new(distribution.StandardNormal)},
		{normal, new(distribution.DiagonalNormal)},
		{normal.Expand(3, 2), new(distribution.DiagonalNormal)},
		{mixture, new(distribution.GaussianMixture)},
		{mixture.Expand(5), new(distribution.GaussianMixture)},
		{box, new(distribution.Uniform)},
	} {
		text, err := json.Marshal(pair[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, pair[1]); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		again, err := json.Marshal(pair[1])
		if err != nil || string(again) != string(text) || fmt.Sprint(pair[0]) != fmt.Sprint(pair[1]) {
			t.Errorf("%v comes back as %v, from %s and %s (%v)", pair[0], pair[1], text, again, err)
		}
	}
}

// What makes no distribution is an error, and changes nothing.
func TestJSONRefuses(t *testing.T) {
	const loc, scale = `"Loc":{"Shape":[2],"Values":[1,2]}`, `"Scale":{"Shape":[2],"Values":[1,2]}`
	normal, mixture, box := new(distribution.DiagonalNormal), new(distribution.GaussianMixture), new(distribution.Uniform)
	for want, c := range map[string]struct {
		to   any
		text string
	}{
		`unknown field "Evnt"`:                    {new(distribution.StandardNormal), `{"Evnt":[2]}`},
		"it has a Loc, and expects none":          {new(distribution.StandardNormal), `{"Event":[2],` + loc + `}`},
		"every axis needs at least 1":             {new(distribution.StandardNormal), `{"Event":[0]}`},
		"Scale is missing":                        {normal, `{"Event":[2],` + loc + `}`},
		"there are 1 values for the shape (2)":    {normal, `{"Event":[2],` + loc + `,"Scale":{"Shape":[2],"Values":[1]}}`},
		"there are 2 values for the shape (1)":    {normal, `{"Event":[2],` + loc + `,"Scale":{"Shape":[1],"Values":[1,2]}}`},
		"value 1 of scale, of shape (2), is 0":    {normal, `{"Event":[2],` + loc + `,"Scale":{"Shape":[2],"Values":[1,0]}}`},
		"loc has shape (2) and scale (1)":         {normal, `{"Event":[2],` + loc + `,"Scale":{"Shape":[1],"Values":[1]}}`},
		"the parameters have the shape (2), and":  {normal, `{"Event":[3],` + loc + `,` + scale + `}`},
		"batch and event (5)×():":                 {normal, `{"Event":[],"Batch":[5],` + loc + `,` + scale + `}`},
		"value 0 of low and high, of shape ()":    {box, `{"Event":[],"Low":{"Shape":[],"Values":[1]},"High":{"Shape":[],"Values":[1]}}`},
		"the weights [0.5 0.25] sum to 0.75":      {mixture, `{"Event":[],"Weights":{"Shape":[2],"Values":[0.5,0.25]},` + loc + `,` + scale + `}`},
		"weights must be batch+[components], and": {mixture, `{"Event":[],"Weights":{"Shape":[1],"Values":[1]},` + loc + `,` + scale + `}`},
	} {
		before := fmt.Sprint(c.to)
		gomlxtest.Says(t, c.text, json.Unmarshal([]byte(c.text), c.to), want)
		if after := fmt.Sprint(c.to); after != before {
			t.Errorf("%s: %s became %s", c.text, before, after)
		}
	}
	_, err := graph.CallOnce(gomlxtest.Go(t), func(x *graph.Node) *graph.Node {
		_, err := json.Marshal(distribution.DiagonalNormalOf(x, x, 1))
		gomlxtest.Says(t, "a distribution in a graph", err, "it belongs to a graph, and has no values to be written")
		return x
	}, []float64{1, 2})
	if err != nil {
		t.Error(err)
	}
}

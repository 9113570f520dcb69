package train_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/coupling"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/train"
	"github.com/nami-flow/go-nami/tests/property"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"pgregory.net/rapid"
)

// scaled is a field of events of rank 2 with one variable.
var scaled = field.Func{Rank: 2, F: func(scope *model.Scope, x, _, _ *Node) *Node {
	return Mul(x, scope.VariableWithValue("scale", float32(0.5)).NodeValue(x))
}}

// choiceOf is an option with a value that is legal, or with one that isn't and what is said
// of it.
type choiceOf struct {
	option train.Option
	wrong  string
}

// Any legal combination of options and events trains, to a finite loss for each step; with
// one thing that is wrong it is refused, and that is said. Never the other way round.
func TestAnyTraining(t *testing.T) {
	backend := gomlxtest.Go(t)
	filled := func(dims ...int) *tensors.Tensor { return gomlxtest.Filled(0.5, dims...) }
	ok := func(option train.Option) choiceOf { return choiceOf{option, ""} }
	no := func(wrong string, option train.Option) choiceOf { return choiceOf{option, wrong} }
	validation := func(v train.Validation) train.Option {
		v.Events = data.Events{X: filled(3, 3, 2)}
		return train.Validate(v)
	}
	options := map[string][]choiceOf{
		"batch size":    {ok(train.BatchSize(1)), ok(train.BatchSize(4)), no("BatchSize is 5", train.BatchSize(5)), no("BatchSize is 0", train.BatchSize(0))},
		"learning rate": {ok(train.LearningRate(1e-3)), no("LearningRate is +Inf", train.LearningRate(math.Inf(1)))},
		"schedule":      {ok(train.Schedule(train.Cosine{})), ok(train.Schedule(train.WarmUp{Steps: 2})), no("Cosine: Steps is -4", train.Schedule(train.Cosine{Steps: -4}))},
		"weight decay":  {ok(train.WeightDecay(0.1)), no("WeightDecay is NaN", train.WeightDecay(math.NaN()))},
		"clipping":      {ok(train.ClipNorm(0.1)), no("ClipNorm is -1", train.ClipNorm(-1))},
		"accumulation":  {ok(train.Accumulate(1)), ok(train.Accumulate(3)), no("Accumulate is -1", train.Accumulate(-1))},
		"average":       {ok(train.Average("slow", 0.99)), no("the decay of the Average slow is 1.5", train.Average("slow", 1.5))},
		"validation":    {ok(validation(train.Validation{Every: 2})), ok(validation(train.Validation{Every: 1, Patience: 2})), no("Patience is -3", validation(train.Validation{Patience: -3}))},
		"first batch":   {ok(train.FirstBatch(7)), no("FirstBatch is -7", train.FirstBatch(-7))},
		"couple":        {ok(train.Couple(coupling.Independent{})), ok(train.Couple(coupling.OptimalTransport{})), no("paired 0 of", train.Couple(lost{})), no("Epsilon is -1", train.Couple(coupling.Entropic{Epsilon: -1})), no("Context is -1", train.Couple(coupling.OptimalTransport{Context: -1}))},
		"start from":    {ok(train.StartFrom(filled(5, 3, 2))), no("the events to start from are (Float32)[5, 2]", train.StartFrom(filled(5, 2)))},
	}
	parts := map[string][]struct {
		value *tensors.Tensor
		wrong string
	}{
		"context": {{filled(4, 2), ""}, {filled(4, 2, 3), "c must have the shape of the lead"}, {filled(3, 2), "the context is (Float32)[3, 2]"}},
		"mask":    {{gomlxtest.Filled(1, 4, 3), ""}, {filled(4, 3), "has 0.5 in row 0"}, {gomlxtest.Filled(1, 4, 2), "the mask is (Float32)[4, 2]"}},
		"source":  {{filled(4, 3, 2), ""}, {filled(5, 3, 2), "the source is (Float32)[5, 3, 2]"}},
		"weight":  {{filled(4), ""}, {gomlxtest.Filled(0, 4), "add up to 0"}},
	}
	property.Check(t, func(t *rapid.T) {
		events := data.Events{X: filled(4, 3, 2)}
		chosen := []train.Option{train.Steps(3), train.BatchSize(2)}
		given := map[string]bool{}
		wrong := ""
		// pick draws one of n choices, of which those before the first wrong one are right; -1
		// for none.
		pick := func(name string, n, right int) int {
			i := -1
			switch rapid.SampledFrom([]string{"absent", "absent", "right", "wrong"}).Draw(t, name) {
			case "right":
				i = rapid.IntRange(0, right-1).Draw(t, "which")
			case "wrong":
				if wrong == "" {
					i = rapid.IntRange(right, n-1).Draw(t, "which")
				}
			}
			given[name] = i >= 0
			return i
		}
		for _, name := range sorted(parts) {
			choices := parts[name]
			if i := pick(name, len(choices), 1); i >= 0 {
				wrong += choices[i].wrong
				switch name {
				case "context":
					events.Context = choices[i].value
				case "mask":
					events.Mask = choices[i].value
				case "source":
					events.Source = choices[i].value
				case "weight":
					events.Weight = choices[i].value
				}
			}
		}
		for _, name := range sorted(options) {
			right := 0
			for right < len(options[name]) && options[name][right].wrong == "" {
				right++
			}
			if i := pick(name, len(options[name]), right); i >= 0 {
				chosen, wrong = append(chosen, options[name][i].option), wrong+options[name][i].wrong
				if name == "couple" && i == 1 {
					given["optimal"] = true
				}
			}
		}
		// What goes together, and what doesn't.
		paired := given["couple"] || given["start from"]
		switch {
		case wrong != "":
		case given["validation"] && (given["context"] || given["mask"] || given["source"]):
			wrong = "an event of the Validation is"
		case paired && given["source"]:
			wrong = "there is nothing to pair"
		case given["start from"] && given["mask"]:
			wrong = "events to start from, and a mask"
		case given["optimal"] && given["context"]:
			wrong = "across conditions"
		}
		history, err := train.Fit(context.Background(), backend, model.NewStore(), loss.FM{Field: scaled}, events, chosen...)
		switch {
		case wrong != "" && (err == nil || !says(err, wrong)):
			// Another thing that doesn't go together may be said first.
			if err != nil && (strings.Contains(err.Error(), "the Validation is") || strings.Contains(err.Error(), "nothing to pair") ||
				strings.Contains(err.Error(), "and a mask") || strings.Contains(err.Error(), "across conditions")) {
				return
			}
			t.Fatalf("got %v, expected it to say %q", err, wrong)
		case wrong == "" && err != nil:
			t.Fatalf("what is right was refused: %v", err)
		case wrong == "" && history.Steps() != 3 && history.Stopped == "":
			t.Fatalf("there are %d losses, expected 3", history.Steps())
		case wrong == "":
			for _, l := range history.Loss {
				if l-l != 0 {
					t.Fatalf("the losses are %v", history.Loss)
				}
			}
		}
	})
}

// sorted are the keys of a map, in their order.
func sorted[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

func says(err error, want string) bool { return strings.Contains(err.Error(), want) }

// lost is a coupling that pairs nothing.
type lost struct{ coupling.Independent }

func (lost) Pair(*rand.Rand, *tensors.Tensor, *tensors.Tensor, *tensors.Tensor) ([]int, error) {
	return nil, nil
}

// What was saved is loaded, by the folder and by the file, and what wasn't is an error that
// says what was looked for.
func TestAnySaving(t *testing.T) {
	dir := t.TempDir()
	property.Check(t, func(t *rapid.T) {
		store := model.NewStore()
		var values []float64
		for i := range rapid.IntRange(0, 3).Draw(t, "variables") {
			v := rapid.Float64Range(-1e3, 1e3).Draw(t, "value")
			values = append(values, v)
			store.VariableWithValue(fmt.Sprint("v", i), v)
		}
		name := filepath.Join(dir, rapid.StringMatching(`[a-z]{1,8}`).Draw(t, "name"))
		err := train.Save(store, name)
		if len(values) == 0 {
			gomlxtest.Says(t, "nothing to save", err, "the store has no variables")
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []string{name, filepath.Join(name, "step-000000000.safetensors")} {
			loaded := model.NewStore()
			if _, err := train.Load(loaded, at); err != nil {
				t.Fatal(err)
			}
			for i, v := range values {
				if got := tensors.ToScalar[float64](loaded.GetVariable(fmt.Sprint("v", i)).MustValue()); got != v {
					t.Fatalf("variable %d is %v, and was %v", i, got, v)
				}
			}
		}
		_, err = train.Load(model.NewStore(), name+"-")
		gomlxtest.Says(t, "another name", err, "there is no folder and no file "+name+"-")
		_, err = train.Load(model.NewStore(), name, "ema")
		gomlxtest.Says(t, "an average", err, `there are no weights of the name "ema": there are the weights themselves`)
	})
}

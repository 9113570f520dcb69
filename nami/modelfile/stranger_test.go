package modelfile_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nami-flow/go-nami/nami/internal/checkpoint"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/modelfile"

	"github.com/gomlx/gomlx/ml/model"
)

// crafted is a file with a right checksum whose description is what a stranger wrote.
func crafted(t testing.TB, store *model.Store, description string) []byte {
	t.Helper()
	c := &checkpoint.Checkpoint{Model: description}
	if err := c.Collect(store, checkpoint.ModelPaths(store)); err != nil {
		t.Fatal(err)
	}
	file, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// described is a description of a flow with these parts.
func described(event, field, base, solver string) string {
	return fmt.Sprintf(`{"version":1,"event":%s,"context":null,"training":{},"model":{"type":"nami.FlowMatching","parameters":{"Field":%s,"Base":%s,"Solver":%s}}}`, event, field, base, solver)
}

const (
	mlp    = `{"type":"field.MLP","parameters":{"EventShape":[2],"Hidden":[4],"Activation":"Silu"}}`
	normal = `{"type":"distribution.StandardNormal","parameters":{"Event":[2]}}`
	euler  = `{"Method":{"type":"solver.LMS","parameters":{"Slopes":1}},"Steps":3}`
)

// A stranger's file takes no memory and no time that its own length doesn't bear out, whatever it
// claims, and each claim is an error that says where it is.
func TestStranger(t *testing.T) {
	store := storeOf(t, diffusion)
	if _, err := modelfile.Read(bytes.NewReader(crafted(t, store, described("[2]", mlp, normal, euler)))); err != nil {
		t.Fatalf("a fair file: %v", err)
	}
	field := func(parameters string) string {
		return described("[2]", `{"type":"field.MLP","parameters":{"EventShape":[2],`+parameters+`}}`, normal, euler)
	}
	nested := strings.Repeat(`{"type":"field.Scoped","parameters":{"Scope":"a","Field":`, 90)
	chain := func(n int, step string) string {
		return `{"version":1,"event":[2],"context":null,"training":{},"model":{"type":"transform.Chain","parameters":[` + strings.Repeat(step+",", n) + step + `]}}`
	}
	transformed := func(transform string) string {
		return strings.Replace(described("[2]", mlp, normal, euler), `"Base"`, `"Transform":`+transform+`,"Base"`, 1)
	}
	for want, description := range map[string]string{
		"Model.Transform[253]: there are more than 256 parts":                        transformed(`{"type":"transform.Chain","parameters":[` + strings.Repeat(`{"type":"transform.Asinh"},`, 999) + `{"type":"transform.Asinh"}]}`),
		"expected two columns for each angle":                                        transformed(`{"type":"transform.Chain","parameters":[` + strings.Repeat(`{"type":"transform.Circle"},`, 70) + `{"type":"transform.Circle"}]}`),
		"nami: the Transform doesn't fit events of shape (2), which is the mo":       transformed(`{"type":"transform.Standardize","parameters":{"Mean":[1,2,3],"Std":[1,1,1]}}`),
		"Mean has 100000 values and x is (Float32)[1, 2]":                            transformed(`{"type":"transform.Standardize","parameters":{"Mean":[1` + strings.Repeat(",1", 99_999) + `],"Std":[1` + strings.Repeat(",1", 99_999) + `]}}`),
		"group 0 has column 1000000, and there are 2":                                transformed(`{"type":"transform.Columns","parameters":[{"Of":[1000000],"By":{"type":"transform.Asinh"}}]}`),
		"Matrix, 2 by 2, has no inverse":                                             transformed(`{"type":"transform.Whiten","parameters":{"Mean":[1,2],"Matrix":[[0,0],[0,0]]}}`),
		"Model.Field.Hidden[0] is 1000000000: nothing in the file bears out":         field(`"Hidden":[1000000000]`),
		"Model.Field.TimeFeatures is 1000000000000: nothing":                         field(`"TimeFeatures":1000000000000`),
		"Model.Field.ContextDim is 99999999999999999999999, which isn't a number":    field(`"ContextDim":99999999999999999999999`),
		"but with different shape from original":                                     field(`"Hidden":[1000000]`),
		"shape=(Float32)[1000002, 4]":                                                field(`"Hidden":[4],"TimeFeatures":1000000`),
		"/mlp/layer_10/dense/biases":                                                 field(`"Hidden":[4` + strings.Repeat(`,2`, 1) + strings.Repeat(`,4`, 10) + `]`),
		"the weights aren't those of the model: requested to reuse variable":         field(`"Hidden":[` + strings.Repeat(`4,`, 99_999) + `4]`),
		"its event: it has the shape (1000000, 1000000, 1000000): nothing":           described("[1000000,1000000,1000000]", mlp, normal, euler),
		"its event: it has the shape (1000000000000000): nothing":                    described("[1000000000000000]", mlp, normal, euler),
		"its event: it has the shape (0): every axis":                                described("[0]", mlp, normal, euler),
		"Model.Base: the event: it has the shape (1000000000000000)":                 described("[2]", mlp, `{"type":"distribution.StandardNormal","parameters":{"Event":[1000000000000000]}}`, euler),
		"Model.Base: the batch: it has the shape (100000000)":                        described("[2]", mlp, `{"type":"distribution.StandardNormal","parameters":{"Event":[2],"Batch":[100000000]}}`, euler),
		"the Event is (2), and the model's events have the shape (500000)":           described("[2]", mlp, `{"type":"distribution.StandardNormal","parameters":{"Event":[500000]}}`, euler),
		"x is (Float32)[1, 500000]: its shape must end in the event shape (2)":       described("[500000]", mlp, `{"type":"distribution.StandardNormal","parameters":{"Event":[500000]}}`, euler),
		"there are 2 values for the shape (4294967296, 4294967296)":                  described("[2]", mlp, `{"type":"distribution.DiagonalNormal","parameters":{"Event":[2],"Loc":{"Shape":[4294967296,4294967296],"Values":[1,2]},"Scale":{"Shape":[2],"Values":[1,2]}}}`, euler),
		"value 0 of scale, of shape (2), is -1: it must be positive":                 described("[2]", mlp, `{"type":"distribution.DiagonalNormal","parameters":{"Event":[2],"Loc":{"Shape":[2],"Values":[1,2]},"Scale":{"Shape":[2],"Values":[-1,2]}}}`, euler),
		"Model.Solver.Steps is 1000000000000: nothing":                               described("[2]", mlp, normal, `{"Method":{"type":"solver.DPM2"},"Steps":1000000000000}`),
		"nested more than 100 levels deep":                                           described("[2]", nested+mlp+strings.Repeat("}}", 90), normal, euler),
		"the key \"type\" is there twice":                                            described("[2]", `{"type":"field.MLP","type":"field.MLP"}`, normal, euler),
		`Model.Field has a parameter "Width" that isn't known: expected EventShape,`: field(`"Width":3`),
		`Model.Field is a part "lab.example/ResNet" that this program doesn't know`:  described("[2]", `{"type":"lab.example/ResNet"}`, normal, euler),
		"Model.Field is a schedule.VP, which isn't a field.Field: expected one of":   described("[2]", `{"type":"schedule.VP"}`, normal, euler),
		`Model.Field.Hidden is the text "wide": expected a list`:                     field(`"Hidden":"wide"`),
		"Model.Field.Hidden[0] is 1.5, which isn't a number that a int holds":        field(`"Hidden":[1.5]`),
		"Softmax does not belong to Type values":                                     field(`"Activation":"Softmax"`),
		"Model.Field has no type":                                                    described("[2]", `{"parameters":{}}`, normal, euler),
		"Model.Field is a list: expected an object with a type":                      described("[2]", `[]`, normal, euler),
		"Model.Path is a distribution.StandardNormal, which isn't":                   strings.Replace(described("[2]", mlp, normal, euler), "Base", "Path", 1) + " ",
		"its description has no version":                                             `{}`,
		"made by a newer nami, in version 2 of the format; this one reads up to 1":   `{"version":2,"surprise":{}}`,
		"its description can't be read: the text ends too early":                     `{"version":1,`,
		"something follows the value":                                                `{"version":1} x`,
		`unknown field "surprise"; perhaps a newer nami made it`:                     `{"version":1,"surprise":1}`,
		"Model is a transform.Chain, which isn't a modelfile.Model":                  chain(3, `{"type":"transform.Circle"}`),
		"the Units have the column":                                                  strings.Replace(described("[2]", mlp, normal, euler), `"training"`, `"units":{"a":"b"},"training"`, 1),
		"the Columns' X names 1 columns":                                             strings.Replace(described("[2]", mlp, normal, euler), `"training"`, `"columns":{"x":["a"]},"training"`, 1),
		"its context: it has the shape (1000000000000)":                              strings.Replace(described("[2]", mlp, normal, euler), `"context":null`, `"context":[1000000000000]`, 1),
		"the context is (Float32)[1, 3], and the field expects none":                 strings.Replace(described("[2]", mlp, normal, euler), `"context":null`, `"context":[3]`, 1),
	} {
		var before, after runtime.MemStats
		file := crafted(t, store, description)
		runtime.ReadMemStats(&before)
		start := time.Now()
		_, err := modelfile.Read(bytes.NewReader(file))
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		gomlxtest.Says(t, want, err, want)
		if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20+200*uint64(len(file)) || took > 5*time.Second {
			t.Errorf("%s: it took %d MiB and %v, of a file of %d bytes", want, used>>20, took, len(file))
		}
	}
}

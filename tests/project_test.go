package tests

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// pixi.toml is what pixi's own schema allows, and has the tasks that the README names.
func TestPixiManifest(t *testing.T) {
	var manifest map[string]any
	if _, err := toml.DecodeFile("../pixi.toml", &manifest); err != nil {
		t.Fatal(err)
	}
	// The validator knows JSON's types only.
	text, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.NewCompiler().Compile("testdata/pixi-schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(instance); err != nil {
		t.Error(err)
	}
	tasks, _ := manifest["tasks"].(map[string]any)
	for _, name := range strings.Fields("setup test cov lint fmt typecheck docs kernel lab run") {
		if _, ok := tasks[name].(string); !ok {
			t.Errorf("the task %q is missing, or more than one line", name)
		}
	}
}

// notebooks lists the notebooks below books.
func notebooks(t *testing.T) (paths []string) {
	t.Helper()
	err := filepath.WalkDir("../books", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && strings.HasPrefix(entry.Name(), ".ipynb") {
			return filepath.SkipDir
		}
		if err == nil && filepath.Ext(path) == ".ipynb" {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatal("there are no notebooks below books")
	}
	return paths
}

// A reader on a code host sees a notebook as it was committed: with its outputs, with
// pictures, and without errors.
func TestCommittedNotebooks(t *testing.T) {
	for _, path := range notebooks(t) {
		var nb struct {
			Cells []struct {
				Type    string `json:"cell_type"`
				Count   *int   `json:"execution_count"`
				Outputs []struct {
					Type string         `json:"output_type"`
					Data map[string]any `json:"data"`
				} `json:"outputs"`
			} `json:"cells"`
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &nb); err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		pictures := 0
		for i, cell := range nb.Cells {
			if cell.Type == "code" && cell.Count == nil {
				t.Errorf("%s: cell %d was never run: `go run ./kernel run --write %s`", path, i+1, path)
			}
			for _, out := range cell.Outputs {
				if out.Type == "error" {
					t.Errorf("%s: cell %d has an error in its outputs", path, i+1)
				}
				if out.Data["image/png"] != nil {
					pictures++
				}
			}
		}
		if pictures == 0 {
			t.Errorf("%s: no cell shows a picture", path)
		}
	}
}

package tests

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
	for _, name := range strings.Fields("setup test cov lint fmt typecheck docs kernel lab run books") {
		if _, ok := tasks[name].(string); !ok {
			t.Errorf("the task %q is missing, or more than one line", name)
		}
	}
}

// What pixi's tasks call is there: a package, a command of the kernel's, a pinned tool.
func TestPixiTasks(t *testing.T) {
	var manifest struct {
		Tasks map[string]string `toml:"tasks"`
	}
	if _, err := toml.DecodeFile("../pixi.toml", &manifest); err != nil {
		t.Fatal(err)
	}
	lint, err := os.ReadFile("../.ci/lint.mod")
	if err != nil {
		t.Fatal(err)
	}
	for task, line := range manifest.Tasks {
		for call := range strings.SplitSeq(line, "&&") {
			words := strings.Fields(call)
			if words[0] == "mkdir" { // of pixi's own shell
				continue
			}
			if words[0] != "go" || len(words) < 3 {
				t.Errorf("the task %s calls %q, and only go is sure to be there", task, call)
				continue
			}
			switch words[1] {
			case "run":
				help := exec.Command("go", append(words[1:min(len(words), 4)], "--help")...)
				help.Dir = ".."
				out, err := help.CombinedOutput()
				if err != nil || len(words) > 3 && !strings.Contains(string(out), "kernel "+words[3]) {
					t.Errorf("the task %s calls %q, which isn't there: %v\n%s", task, call, err, out)
				}
			case "tool":
				name, own := words[2], false
				if name == "-modfile=.ci/lint.mod" {
					name, own = words[3], true
				}
				if own && !regexp.MustCompile(`(?m)^\t\S*/`+name+`$`).Match(lint) {
					t.Errorf("the task %s calls %q, and .ci/lint.mod has no such tool", task, call)
				}
			case "build", "doc", "test", "vet":
			default:
				t.Errorf("the task %s calls %q: go has no command %q that this test knows", task, call, words[1])
			}
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

package tests

import (
	"encoding/json"
	"errors"
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

// The README's quick start is a program that compiles as it stands there.
func TestQuickStartCompiles(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "\n## Quick start in Go\n")
	_, section, _ = strings.Cut(section, "```go\n")
	code, _, found := strings.Cut(section, "```")
	if !found {
		t.Fatal("the README has no quick start in Go")
	}
	dir := t.TempDir()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	file, overlay := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, "readme", "main.go"): file}})
	if err := errors.Join(err, os.WriteFile(file, []byte(code), 0o644), os.WriteFile(overlay, replace, 0o644)); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-overlay", overlay, "-o", filepath.Join(dir, "moons"), "./readme")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

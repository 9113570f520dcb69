package notebook

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nami-flow/go-nami/kernel/internal/ipynb"
	"github.com/nami-flow/go-nami/kernel/internal/place"

	"github.com/google/renameio/v2"
)

// Kept are the results of notebooks that passed, each in a folder named by what it was
// made from: the same again needn't be executed.
type Kept struct {
	Folder string // empty: nothing is kept
	Key    string // changes with all that results depend on besides the notebook
	Fresh  bool   // executes what is unchanged too, and keeps the new result
}

// forgotten is how long a result that nobody asked for is kept.
const forgotten = 30 * 24 * time.Hour

// What a result's folder holds.
const (
	keptNotebook = "executed.ipynb"
	keptPage     = "executed.html"
	keptWarnings = "warnings" // as JSON
	keptTime     = "seconds"
	keptInputs   = "inputs" // as JSON
)

// folder is where the result of a notebook is, or would be.
func (k Kept) folder(source Source, injected []injection, checkout string) (string, error) {
	text, err := os.ReadFile(source.Path)
	if err != nil {
		return "", err
	}
	content, err := content(text)
	if err != nil {
		return "", err
	}
	texts := []string{k.Key, filepath.ToSlash(source.Name), fmt.Sprint(injected), content}
	own, err := ownPackages(filepath.Dir(source.Path), checkout)
	if err != nil {
		return "", err
	}
	texts = append(texts, own...)
	programs, err := driver.ReadDir(".")
	if err != nil {
		return "", err
	}
	for _, program := range programs {
		text, err := driver.ReadFile(program.Name())
		if err != nil {
			return "", err
		}
		texts = append(texts, string(text))
	}
	return filepath.Join(k.Folder, place.Hash(texts...)), nil
}

// content is a notebook without what executing it changes: outputs, counts, times, and
// what is said about the kernel.
func content(notebook []byte) (string, error) {
	notebook, err := ipynb.Plain(notebook)
	if err != nil {
		return "", err
	}
	var d struct {
		Cells []map[string]any `json:"cells"`
	}
	if err := json.Unmarshal(notebook, &d); err != nil {
		return "", err
	}
	for _, cell := range d.Cells {
		delete(cell, "outputs")
		delete(cell, "execution_count")
		if metadata, ok := cell["metadata"].(map[string]any); ok {
			delete(metadata, "execution")
		}
		if lines, ok := cell["source"].([]any); ok { // stored by some as one string
			var whole strings.Builder
			for _, line := range lines {
				fmt.Fprint(&whole, line)
			}
			cell["source"] = whole.String()
		}
	}
	text, err := json.Marshal(d.Cells)
	return string(text), err
}

// restore copies a kept result to where an execution would write it, and returns how
// long that took. ok is false if there is none, or a file that the notebook depends on has
// changed since, which it says.
func (k Kept) restore(folder string, r *runner) (took time.Duration, ok bool, err error) {
	if k.Folder == "" || k.Fresh {
		return 0, false, nil
	}
	seconds, err := os.ReadFile(filepath.Join(folder, keptTime))
	if err != nil {
		return 0, false, nil
	}
	if took, err = time.ParseDuration(string(seconds)); err != nil {
		return 0, false, nil
	}
	text, err := os.ReadFile(filepath.Join(folder, keptWarnings))
	if err != nil {
		return 0, false, nil
	}
	var warnings []string
	if err := json.Unmarshal(text, &warnings); err != nil {
		return 0, false, nil
	}
	if text, err = os.ReadFile(filepath.Join(folder, keptInputs)); err != nil {
		return 0, false, nil
	}
	var in inputs
	if err := json.Unmarshal(text, &in); err != nil {
		return 0, false, nil
	}
	if name := in.changed(filepath.Dir(r.source.Path)); name != "" {
		r.out.printf("%s%s has changed since it passed", r.prefix, name)
		return 0, false, nil
	}
	now := time.Now()
	_ = os.Chtimes(folder, now, now) // a folder that can't be touched is only forgotten sooner
	copies := map[string]string{r.executed: keptNotebook, r.page: keptPage}
	if r.options.Rewrite {
		copies[r.source.Path] = keptNotebook
	}
	for to, from := range copies {
		if err := copyWhole(filepath.Join(folder, from), to); err != nil {
			return 0, false, err
		}
	}
	for _, warning := range warnings {
		r.warn(warning)
	}
	return took, true, nil
}

// keep stores what an execution wrote.
func (k Kept) keep(folder string, r *runner, took time.Duration) error {
	if k.Folder == "" {
		return nil
	}
	warnings, err := json.Marshal(r.warnings)
	read, problem := json.Marshal(r.inputs)
	if err := errors.Join(err, problem, os.MkdirAll(k.Folder, 0o755)); err != nil {
		return err
	}
	beside, err := os.MkdirTemp(k.Folder, ".new-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(beside) }() // gone after the renaming
	if err := errors.Join(
		copyWhole(r.executed, filepath.Join(beside, keptNotebook)),
		copyWhole(r.page, filepath.Join(beside, keptPage)),
		os.WriteFile(filepath.Join(beside, keptWarnings), warnings, 0o644),
		os.WriteFile(filepath.Join(beside, keptInputs), read, 0o644),
		os.WriteFile(filepath.Join(beside, keptTime), []byte(took.String()), 0o644),
		os.Chmod(beside, 0o755),
		os.RemoveAll(folder),
	); err != nil {
		return err
	}
	if err := os.Rename(beside, folder); err != nil && !place.Exists(filepath.Join(folder, keptTime)) { // else another run was quicker
		return err
	}
	return nil
}

// forget removes the results that nobody asked for lately.
func (k Kept) forget() {
	entries, err := os.ReadDir(k.Folder)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > forgotten {
			_ = os.RemoveAll(filepath.Join(k.Folder, entry.Name())) // the next run tries again
		}
	}
}

// copyWhole copies a file whole or not at all, and leaves one alone that is the same.
func copyWhole(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(to); err == nil && string(old) == string(text) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(to, text, 0o644, renameio.WithExistingPermissions())
}

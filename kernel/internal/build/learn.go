package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

// learn has go build the program, and keeps how it did. The error is one of go.
func (p *program) learn(out string) error {
	cmd := exec.Command(p.real, "build", "-x", "-work", "-o", out)
	var said bytes.Buffer
	cmd.Stderr = &said
	err := cmd.Run()
	work := regexp.MustCompile(`(?m)^WORK=(.+)$`).FindStringSubmatch(said.String())
	if work != nil {
		defer func() { _ = os.RemoveAll(work[1]) }() // a folder of temporary files
	}
	if err != nil {
		return err
	}
	if work == nil {
		return nil
	}
	if l, err := p.read(said.String(), work[1]); err == nil {
		_ = p.keep(l) // the next build learns it again
	}
	return nil
}

// read reads a plan from what go said, and left in its folder.
func (p *program) read(said, work string) (*plan, error) {
	l := &plan{Local: map[string]string{}}
	for line := range strings.Lines(said) {
		words, err := split(strings.TrimSpace(line))
		if err != nil || len(words) == 0 {
			continue
		}
		if strings.HasPrefix(words[0], "GOROOT=") {
			words = words[1:]
		}
		if len(words) < 3 {
			continue
		}
		switch tool := filepath.Base(words[0]); {
		case tool == "compile" && slices.Contains(words, "$WORK/b001/_pkg_.a"):
			l.Compile = words
		case tool == "link" && slices.Contains(words, "$WORK/b001/exe/a.out"):
			l.Link = words
		}
	}
	if l.Compile == nil || l.Link == nil {
		return nil, errors.New("go didn't say how it builds")
	}
	text, err := os.ReadFile(filepath.Join(work, "b001", "importcfg.link"))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, work) {
			if !strings.Contains(line, filepath.Join("b001", "_pkg_.a")) {
				return nil, errors.New("a package was built anew: it isn't in Go's cache yet")
			}
			continue
		}
		l.Packages += line
	}
	for _, found := range packageFile.FindAllStringSubmatch(l.Packages, -1) {
		if dir, ok := p.modules.Folder(found[1]); ok {
			if l.Local[dir], err = contents(dir); err != nil {
				return nil, err
			}
		}
	}
	return l, nil
}

// many is how many plans are kept, for all notebooks.
const many = 64

// keep writes a plan, and drops the oldest.
func (p *program) keep(l *plan) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(p.plans, 0o755); err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(strings.Join(packageFile.FindAllString(l.Packages, -1), "\n")))
	name := fmt.Sprintf("%s-%s.json", p.key, hex.EncodeToString(sum[:])[:16])
	if err := renameio.WriteFile(filepath.Join(p.plans, name), text, 0o644); err != nil {
		return err
	}
	all, err := os.ReadDir(p.plans)
	if err != nil || len(all) <= many {
		return err
	}
	slices.SortFunc(all, func(a, b os.DirEntry) int { return age(b).Compare(age(a)) })
	for _, old := range all[many:] {
		_ = os.Remove(filepath.Join(p.plans, old.Name())) // or the next time
	}
	return nil
}

func age(entry os.DirEntry) (t time.Time) {
	if info, err := entry.Info(); err == nil {
		t = info.ModTime()
	}
	return t
}

// split splits a command as go writes it into words: some are in quotes.
func split(line string) (words []string, err error) {
	var word strings.Builder
	inside, quote := false, rune(0)
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, inside = r, true
		case quote == 0 && r == ' ':
			if inside {
				words = append(words, word.String())
			}
			word.Reset()
			inside = false
		case r == '\\':
			return nil, errors.New("the command has a backslash in it")
		default:
			word.WriteRune(r)
			inside = true
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote isn't closed")
	}
	if inside {
		words = append(words, word.String())
	}
	return words, nil
}

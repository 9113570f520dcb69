package environment

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/nami-flow/go-nami/kernel/internal/part"
	"github.com/nami-flow/go-nami/kernel/internal/place"
	"github.com/nami-flow/go-nami/kernel/internal/process"
)

// Formula is a formula in TeX, and its MathML or what is wrong with it.
type Formula struct {
	TeX     string `json:"tex"`
	Display bool   `json:"display"` // on a line of its own
	MathML  string `json:"mathml"`
	Problem string `json:"problem"`
}

//go:embed formulas.py
var formulasScript string

// formulas is a folder with the Python package that turns TeX into MathML.
func (e *Environment) formulas() (p part.Part, python string, err error) {
	if python, err = exec.LookPath("python3"); err != nil {
		return p, "", errors.New("there is no python3 on PATH: install Python 3.10 or later")
	}
	requirements := filepath.Join(e.Root, "kernel/formulas.txt")
	text, err := os.ReadFile(requirements)
	if err != nil {
		return p, "", fmt.Errorf("the checkout is incomplete: %w: `git restore` it", err)
	}
	return part.Part{
		Title:   "getting what draws formulas",
		Dir:     filepath.Join(e.Cache, "formulas-"+place.Hash(string(text))),
		Outputs: []string{"latex2mathml/converter.py"},
		Make: func(ctx context.Context, dir string) error {
			_, err := process.Run(ctx, "", nil, python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
				"--no-input", "--no-deps", "--require-hashes", "--target", dir, "-r", requirements)
			return err
		},
	}, python, nil
}

// MakeFormulas gets what [Environment.TypesetFormulas] needs, if it isn't there.
func (e *Environment) MakeFormulas(ctx context.Context, log io.Writer) error {
	if err := place.MakeWritable(e.Cache); err != nil {
		return err
	}
	unlock, err := part.Lock(ctx, e.Cache, log)
	if err != nil {
		return err
	}
	defer unlock()
	p, _, err := e.formulas()
	if err != nil {
		return err
	}
	return p.Ensure(ctx, log)
}

// TypesetFormulas fills in MathML, or Problem, of each formula.
func (e *Environment) TypesetFormulas(ctx context.Context, formulas []Formula) error {
	if len(formulas) == 0 {
		return nil
	}
	p, python, err := e.formulas()
	if err != nil {
		return err
	}
	job, err := json.Marshal(formulas)
	if err != nil {
		return err
	}
	cmd := process.Command(ctx, syscall.SIGTERM, python, "-W", "ignore", "-c", formulasScript)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+p.Dir, "PYTHONDONTWRITEBYTECODE=1", "PYTHONIOENCODING=utf-8")
	cmd.Stdin = bytes.NewReader(job)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("formulas can't be typeset: %w: %s", err, process.Tail(errs.String(), 5))
	}
	return json.Unmarshal(out.Bytes(), &formulas)
}

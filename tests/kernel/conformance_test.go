//go:build slow

package kernel

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/tests/internal/checkout"
)

// The installed kernel passes Jupyter's own conformance tests but for what docs/kernel.md
// lists, and ours: of training that somebody stops, and of the first completion and inspection
// on a busy machine.
func TestConformance(t *testing.T) {
	kernel := checkout.BuildKernel(t)
	data := t.TempDir()
	t.Setenv("JUPYTER_DATA_DIR", data)
	if out, code := kernel.Run(t, "install"); code != 0 {
		t.Fatal(out)
	}
	python := conformancePython(t)
	for script, ran := range map[string]string{"test_kernel.py": "Ran 12 tests", "test_training.py": "Ran 2 tests", "test_completion.py": "Ran 3 tests", "test_cells.py": "Ran 4 tests"} {
		t.Run(script, func(t *testing.T) {
			command := exec.Command(python, "-W", "ignore", "../conformance/"+script)
			command.Env = append(os.Environ(), "JUPYTER_PATH="+data, "PYTHONDONTWRITEBYTECODE=1", "TMPDIR="+t.TempDir())
			out, err := command.CombinedOutput()
			t.Logf("%s", out)
			if err != nil {
				t.Error(err)
			}
			if !strings.Contains(string(out), ran) {
				t.Errorf("expected it to say %q", ran)
			}
		})
	}
}

// conformancePython is the Python of a virtual environment with the conformance tests,
// made once below the cache folder.
func conformancePython(t *testing.T) string {
	t.Helper()
	requirements, err := os.ReadFile("../conformance/requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	cache := os.Getenv("NAMI_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(user, "nami")
	}
	dir := filepath.Join(cache, fmt.Sprintf("conformance-%x", sha256.Sum256(requirements))[:32])
	python, stamp := filepath.Join(dir, "bin/python3"), filepath.Join(dir, ".complete")
	if exec.Command(python, "-c", "import jupyter_kernel_test").Run() == nil {
		if _, err := os.Stat(stamp); err == nil {
			return python
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"python3", "-m", "venv", dir},
		{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes", "-r", "../conformance/requirements.txt"},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatal(errors.Join(fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out), os.RemoveAll(dir)))
		}
	}
	if err := os.WriteFile(stamp, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return python
}

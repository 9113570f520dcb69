package kernel

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/tests/internal/checkout"
)

// The installed kernel passes Jupyter's own conformance tests but for what docs/kernel.md
// lists, and ours of training that somebody stops.
func TestConformance(t *testing.T) {
	kernel := checkout.BuildKernel(t)
	data := t.TempDir()
	t.Setenv("JUPYTER_DATA_DIR", data)
	if out, code := kernel.Run(t, "install"); code != 0 {
		t.Fatal(out)
	}
	python := conformancePython(t)
	for script, ran := range map[string]string{"test_kernel.py": "Ran 12 tests", "test_training.py": "Ran 2 tests"} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
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

// What is expected to fail is listed with the reason.
func TestConformanceIsDocumented(t *testing.T) {
	script, err := os.ReadFile("../conformance/test_kernel.py")
	if err != nil {
		t.Fatal(err)
	}
	listed, err := os.ReadFile("../../docs/kernel.md")
	if err != nil {
		t.Fatal(err)
	}
	failures := regexp.MustCompile(`expectedFailure\n +def (test_\w+)`).FindAllSubmatch(script, -1)
	for _, name := range failures {
		if !bytes.Contains(listed, append([]byte("| `"), name[1]...)) {
			t.Errorf("docs/kernel.md doesn't list %s", name[1])
		}
	}
	if listed := bytes.Count(listed, []byte("| `test_")); listed != len(failures) {
		t.Errorf("docs/kernel.md lists %d tests that fail, expected %d", listed, len(failures))
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

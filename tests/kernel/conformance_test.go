//go:build slow

package kernel

import (
	"os"
	"os/exec"
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
	python := checkout.Python(t, "conformance", "../conformance/requirements.txt", "jupyter_kernel_test")
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

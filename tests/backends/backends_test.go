package backends_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
)

var all = backends.Of(nami.OpenBackend)

// TestRun runs on what is there; [TestNothingInstalled] runs it where nothing is.
func TestRun(t *testing.T) {
	all.Run(t, func(t *testing.T, backend compute.Backend) {
		if xla := backend.Name() == "xla"; xla != (t.Name() == "TestRun/xla") {
			t.Errorf("the backend is %s", backend.Name())
		}
	})
}

// Where nothing of ours is installed, tests run in pure Go, say once why XLA is missing, and
// leave no file in the user's home, Jupyter's folder or the cache. In CI that fails.
func TestNothingInstalled(t *testing.T) {
	const why = `(?s)(go run \./kernel install|XLA needs cgo).*`
	for ci, want := range map[string]struct {
		said string
		code int
	}{
		"":     {why + `--- PASS: TestRun/go .*--- SKIP: TestRun/xla `, 0},
		"true": {why + `CI is set.*--- PASS: TestRun/go .*--- FAIL: TestRun/xla `, 1},
	} {
		home := t.TempDir()
		command := exec.Command(os.Args[0], "-test.run=^TestRun$", "-test.v")
		command.Env = []string{
			"HOME=" + home, "CI=" + ci,
			"NAMI_CACHE=" + filepath.Join(home, "cache"), "JUPYTER_DATA_DIR=" + filepath.Join(home, "jupyter"),
			"PJRT_PLUGIN_LIBRARY_PATH=" + filepath.Join(home, "plugins"),
		}
		out, _ := command.CombinedOutput() // its exit code tells
		if code := command.ProcessState.ExitCode(); code != want.code || !regexp.MustCompile(want.said).Match(out) {
			t.Errorf("with CI=%q the exit code is %d, expected %d, and this was said:\n%s", ci, code, want.code, out)
		}
		if left, err := os.ReadDir(home); err != nil || len(left) > 0 {
			t.Errorf("with CI=%q the home folder holds %v, %v; expected nothing", ci, left, err)
		}
	}
}

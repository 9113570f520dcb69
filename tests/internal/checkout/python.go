package checkout

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Python is the Python of a virtual environment with the packages of a locked file of
// requirements, made once below the cache folder. name is that of the environment, and module
// one of its modules, which shows that it works.
func Python(t testing.TB, name, requirements, module string) string {
	t.Helper()
	locked, err := os.ReadFile(requirements)
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
	dir := filepath.Join(cache, fmt.Sprintf("%s-%x", name, sha256.Sum256(locked))[:len(name)+21])
	python, stamp := filepath.Join(dir, "bin/python3"), filepath.Join(dir, ".complete")
	if exec.Command(python, "-c", "import "+module).Run() == nil {
		if _, err := os.Stat(stamp); err == nil {
			return python
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"python3", "-m", "venv", dir},
		{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes", "-r", requirements},
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

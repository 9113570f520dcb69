package reads_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/internal/reads"
)

// Paths are appended as absolute ones, and nothing is written where nobody asks.
func TestReport(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	list := filepath.Join(dir, "reads")
	t.Setenv(reads.Variable, "")
	if err := reads.Report("a.csv"); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("the folder holds %v (%v), expected nothing", entries, err)
	}
	t.Setenv(reads.Variable, list)
	for _, path := range []string{"b.csv", "/far/away.parquet"} {
		if err := reads.Report(path); err != nil {
			t.Fatal(err)
		}
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	said, err := os.ReadFile(list)
	if want := filepath.Join(here, "b.csv") + "\n/far/away.parquet\n"; err != nil || string(said) != want {
		t.Errorf("the list is %q (%v), expected %q", said, err, want)
	}
	t.Setenv(reads.Variable, dir)
	if err := reads.Report("b.csv"); err == nil || !strings.Contains(err.Error(), "$NAMI_READS") || !strings.Contains(err.Error(), "b.csv") {
		t.Errorf("a list that is a folder gives the error %v, expected one that names the variable and the file", err)
	}
}

//go:build slow && linux

package main

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/modelfile"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/gomlx/ml/model"
)

// static builds the command without C.
func static(t *testing.T) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "nami")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// slow is a model that takes its time: a wide network and many steps.
func slow(t *testing.T) (path string) {
	t.Helper()
	f := nami.FlowMatching{
		Field: field.MLP{EventShape: []int{2}, Hidden: []int{256, 256, 256}}, Base: distribution.NewStandardNormal(2), Solver: solver.RK4(400),
	}
	store := model.NewStore()
	if err := nami.Initialize(gomlxtest.Go(t), store, f.Field, []int{2}, nil, 1); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "slow.safetensors")
	if err := modelfile.Save(path, modelfile.File{Model: f, Store: store}); err != nil {
		t.Fatal(err)
	}
	return path
}

// The static program needs no other file, with an empty environment, says that it computes
// in pure Go, and does what the command does.
func TestStatic(t *testing.T) {
	program := static(t)
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	libraries, err := file.ImportedLibraries()
	if err != nil || len(libraries) > 0 || file.Section(".interp") != nil {
		t.Errorf("it needs %v (%v), expected nothing", libraries, err)
	}
	file.Close()
	path, _ := saved(t)
	out := filepath.Join(t.TempDir(), "samples.parquet")
	cmd := exec.Command(program, "sample", path, "-n", "20", "--seed", "7", "--set", "energy=1", "--set", "kind=muon", "-o", out)
	cmd.Env = []string{}
	said, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(said), "computing in pure Go") != 1 || !strings.Contains(string(said), "built without cgo") {
		t.Errorf("it says %s (%v)", said, err)
	}
	table, err := data.Read(out)
	if err != nil || table.Len() != 20 {
		t.Errorf("the samples: %v", err)
	}
	var exit *exec.ExitError
	if err := exec.Command(program, "sample").Run(); !errors.As(err, &exit) || exit.ExitCode() != exitUsage {
		t.Errorf("without a file it ends with %v, expected %d", err, exitUsage)
	}
}

// Ctrl-C in the middle of sampling ends it soon, with 130, and leaves no file.
func TestCtrlC(t *testing.T) {
	program, path, folder := static(t), slow(t), t.TempDir()
	cmd := exec.Command(program, "sample", path, "-n", "100000", "-o", filepath.Join(folder, "samples.csv"))
	var problems lockedBuffer
	cmd.Stderr = &problems
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// It says what it computes with just before it does.
	eventually(t, func() bool { return strings.Contains(problems.String(), "pure Go") })
	time.Sleep(300 * time.Millisecond)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted || !strings.HasSuffix(problems.String(), "interrupted\n") {
		t.Errorf("it ends with %v and says %q, expected %d and interrupted", err, problems.String(), exitInterrupted)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v (%v)", left, err)
	}
}

// A server that gets SIGTERM in the middle answers all that it has, and ends with 0.
func TestSIGTERM(t *testing.T) {
	program, path := static(t), slow(t)
	cmd := exec.Command(program, "serve", path, "--listen", "127.0.0.1:0", "--batches", "16", "--grace", "10m", "--timeout", "10m")
	var problems lockedBuffer
	cmd.Stderr = &problems
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	url := served(problems.String, func() bool { return len(ended) > 0 })
	if url == "" {
		t.Fatalf("it ended: %s", problems.String())
	}
	const clients = 16
	answers := make(chan error, clients)
	for i := range clients {
		go func() {
			request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url+"/sample", strings.NewReader(fmt.Sprintf(`{"n": 8, "seed": %d}`, i)))
			if err != nil {
				answers <- err
				return
			}
			request.Header.Set("Content-Type", "application/json")
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				answers <- err
				return
			}
			defer response.Body.Close()
			var answer struct{ Samples [][]float64 }
			err = json.NewDecoder(response.Body).Decode(&answer)
			if err == nil && len(answer.Samples) != 8 {
				err = fmt.Errorf("the answer is %d with %d samples", response.StatusCode, len(answer.Samples))
			}
			answers <- err
		}()
	}
	// All have come, and most are waiting.
	eventually(t, func() bool {
		response, err := http.Get(url + "/metrics")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		var text bytes.Buffer
		_, _ = text.ReadFrom(response.Body)
		for waiting := clients * 8; waiting >= 6*16; waiting-- {
			if strings.Contains(text.String(), fmt.Sprintf("nami_queue_events %d\n", waiting)) {
				return true
			}
		}
		return false
	})
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for range clients {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	if err := <-ended; err != nil || !strings.Contains(problems.String(), "what is in flight is answered") {
		t.Errorf("it ends with %v and says %q", err, problems.String())
	}
}

// eventually waits until something is true.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for !ok() {
		time.Sleep(5 * time.Millisecond)
	}
}

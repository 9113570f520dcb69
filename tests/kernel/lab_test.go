//go:build slow

package kernel

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nami-flow/go-nami/tests/internal/checkout"
)

// JupyterLab runs twice at once, and the kernel in each; a port in use is said in a line.
func TestLabTwice(t *testing.T) {
	kernel := checkout.BuildKernel(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(free.Addr().(*net.TCPAddr).Port)
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	const token = "twice"
	var addresses [2]string
	for i := range addresses {
		command := kernel.Command("lab", "--", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port="+port, "--IdentityProvider.token="+token)
		said := follow(t, command)
		addresses[i] = said.wait(t, regexp.MustCompile(`(http://127\.0\.0\.1:\d+/)lab\S*token=`))[1]
		if told := strings.Contains(said.String(), "port "+port+" is in use, so it is port "); told != (i == 1) {
			t.Errorf("start %d said\n%s", i+1, said)
		}
	}
	if addresses[0] == addresses[1] {
		t.Fatalf("both are at %s", addresses[0])
	}
	ask := func(method, url, body string, result any) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "token "+token)
		answer, err := http.DefaultClient.Do(request)
		// The address is announced a moment before it answers.
		for end := time.Now().Add(5 * time.Minute); errors.Is(err, syscall.ECONNREFUSED) && time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
			answer, err = http.DefaultClient.Do(request)
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		if err := answer.Body.Close(); err != nil {
			t.Error(err)
		}
		if err != nil || answer.StatusCode >= 300 {
			t.Fatalf("%s %s: %s, %v\n%s", method, url, answer.Status, err, text)
		}
		if result != nil {
			if err := json.Unmarshal(text, result); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, address := range addresses {
		var specs struct {
			Kernels map[string]struct {
				Spec struct {
					Name string `json:"display_name"`
				} `json:"spec"`
			} `json:"kernelspecs"`
		}
		ask("GET", address+"api/kernelspecs", "", &specs)
		if name := specs.Kernels["nami"].Spec.Name; name != "Go (nami)" {
			t.Errorf("the kernel is called %q in %v", name, specs)
		}
		var first, second struct {
			ID string `json:"id"`
		}
		ask("POST", address+"api/kernels", `{"name": "nami"}`, &first)
		ask("POST", address+"api/kernels", `{"name": "nami"}`, &second)
		if first.ID == "" || first.ID == second.ID {
			t.Errorf("the kernels are %q and %q", first.ID, second.ID)
		}
		for _, id := range []string{first.ID, second.ID} {
			ask("DELETE", address+"api/kernels/"+id, "", nil)
		}
	}
}

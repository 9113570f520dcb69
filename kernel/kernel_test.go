package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nami-flow/go-nami/kernel/internal/environment"
	"github.com/nami-flow/go-nami/kernel/internal/notebook"
)

func TestComplete(t *testing.T) {
	fine := notebook.Options{Timeout: time.Minute, Parallel: 1}
	o := fine
	if err := complete(&o, []string{"steps=5", "name=a=b"}); err != nil || o.Parameters["steps"] != "5" || o.Parameters["name"] != "a=b" {
		t.Errorf("the parameters are %v, %v", o.Parameters, err)
	}
	for _, c := range []struct {
		change   func(o *notebook.Options)
		params   []string
		expected string
	}{
		{func(o *notebook.Options) { o.Timeout = 0 }, nil, "--timeout is 0s: it must be positive"},
		{func(o *notebook.Options) { o.Parallel = 0 }, nil, "-j is 0"},
		{func(o *notebook.Options) { o.Rewrite = true }, []string{"a=1"}, "exclude each other"},
		{func(*notebook.Options) {}, []string{"steps"}, "expected name=value"},
		{func(*notebook.Options) {}, []string{"=5"}, "expected name=value"},
		{func(*notebook.Options) {}, []string{"a=1", "a=2"}, "twice"},
	} {
		o := fine
		c.change(&o)
		if err := complete(&o, c.params); err == nil || !strings.Contains(err.Error(), c.expected) {
			t.Errorf("the error is %v; expected %q", err, c.expected)
		}
	}
}

func TestLabArguments(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	port := fmt.Sprint(taken.Addr().(*net.TCPAddr).Port)
	for _, c := range []struct {
		arguments []string
		root      bool
		expected  string // arguments, or in an error
	}{
		{[]string{"--port=0", "--no-browser"}, false, "--port=0 --no-browser"},
		{[]string{"--port=0", "--allow-root"}, true, "--port=0 --allow-root"},
		{[]string{"--port=" + port, "--no-browser"}, false, "--no-browser --port="},
		{[]string{"--port", port, "--no-browser"}, false, "--no-browser --port="},
		{[]string{"--ServerApp.port=" + port}, false, "--port="},
		{nil, true, "-- --allow-root"},
		{[]string{"--port=many"}, false, `--port is "many"`},
		{[]string{"--port=70000"}, false, "expected a number from 1 to 65535"},
		{[]string{"--port"}, false, `--port is ""`},
	} {
		got, err := labArguments(c.arguments, c.root)
		text := fmt.Sprint(strings.Join(got, " "), err)
		if !strings.Contains(text, c.expected) || strings.Contains(text, "--port="+port) {
			t.Errorf("%q became %q, %v; expected %q", c.arguments, got, err, c.expected)
		}
	}
}

func TestDoctorsTable(t *testing.T) {
	checks := []environment.Check{
		{Part: "Go", Found: "1.26.5", Needed: true},
		{Part: "XLA plugin", Found: "none", Cure: "run this"},
	}
	var out bytes.Buffer
	if err := table(&out, checks); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "Go          ok  1.26.5\nXLA plugin  -   none: run this\n" {
		t.Errorf("the table is\n%s", got)
	}
	if err := unhealthy(t.Context(), checks); err != nil {
		t.Errorf("what isn't needed makes it unhealthy: %v", err)
	}
	checks[0].Cure = "install Go"
	if err := unhealthy(t.Context(), checks); !errors.Is(err, errUnhealthy) {
		t.Errorf("the error is %v", err)
	}
}

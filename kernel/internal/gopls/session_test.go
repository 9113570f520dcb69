package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A client that comes late finds the session open, and gopls hears of the cell's program and
// of what changed on the disk, not of each file of the checkout.
func TestSession(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "go.work"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	fromUs, toServer := io.Pipe()
	fromServer, toUs := io.Pipe()
	server := bufio.NewReader(fromUs)
	opened := make(chan error, 1)
	s := newSession(folder, toServer, fromServer)
	go func() { opened <- s.open() }()

	expect := func(r *bufio.Reader, want string) {
		t.Helper()
		m, err := read(r)
		if err != nil || !strings.Contains(string(m.text), want) {
			t.Fatalf("it said %s, %v; expected %s", m.text, err, want)
		}
	}
	says := func(w io.Writer, text string) {
		t.Helper()
		if err := write(w, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	expect(server, fmt.Sprintf(`"uri":"file://%s"`, folder))
	says(toUs, `{"jsonrpc":"2.0","method":"window/logMessage","params":{"message":"hello"}}`)
	says(toUs, `{"jsonrpc":"2.0","id":0,"result":{"capabilities":{"hover":true}}}`)
	expect(server, `"method":"initialized"`)
	if err := <-opened; err != nil {
		t.Fatal(err)
	}

	if err := s.tell([]byte("{}")); err != nil {
		t.Errorf("before there is a client: %v", err)
	}
	heard := make(chan error, 1)
	go func() { heard <- s.hear() }()
	theirs, ours := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- s.serve(ours) }()
	client := bufio.NewReader(theirs)
	says(theirs, `{"jsonrpc":"2.0","id":7,"method":"initialize","params":{"processId":1}}`)
	expect(client, `{"jsonrpc":"2.0","id":7,"result":{"capabilities":{"hover":true}}}`)
	says(theirs, `{"jsonrpc":"2.0","method":"initialized","params":{}}`)
	notify := func(method, uri string) {
		says(theirs, fmt.Sprintf(`{"jsonrpc":"2.0","method":"textDocument/%s","params":{"textDocument":{"uri":%q}}}`, method, uri))
	}
	old, program := filepath.Join(t.TempDir(), "nami.go"), "file://"+folder+"/main.go"
	long := time.Now().Add(-time.Hour)
	if err := errors.Join(os.WriteFile(old, nil, 0o644), os.Chtimes(old, long, long)); err != nil {
		t.Fatal(err)
	}
	elsewhere := "file://" + old
	notify("didOpen", elsewhere)
	notify("didOpen", "file://"+folder+"/go.work")
	notify("didOpen", program)
	expect(server, program) // the first that it hears
	notify("didChange", program)
	expect(server, `textDocument/didChange`)
	notify("didChange", elsewhere)
	expect(server, `{"changes":[{"type":2,"uri":"`+elsewhere+`"}]}`)
	notify("didClose", elsewhere)
	expect(server, `{"changes":[{"type":3,"uri":"`+elsewhere+`"}]}`)
	if err := os.Chtimes(old, time.Now(), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	notify("didOpen", elsewhere) // made anew
	expect(server, `{"changes":[{"type":1,"uri":"`+elsewhere+`"}]}`)
	says(theirs, `{"jsonrpc":"2.0","id":8,"method":"textDocument/completion","params":{"position":[1,2]}}`)
	expect(server, `{"jsonrpc":"2.0","id":8,"method":"textDocument/completion","params":{"position":[1,2]}}`)
	says(toUs, `{"jsonrpc":"2.0","id":8,"result":[]}`)
	expect(client, `{"jsonrpc":"2.0","id":8,"result":[]}`)
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-served; !errors.Is(err, io.EOF) {
		t.Errorf("without a client it ended with %v", err)
	}
	if err := toUs.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-heard; !errors.Is(err, io.EOF) {
		t.Errorf("without gopls it ended with %v", err)
	}
}

// What isn't a message is an error, and parameters of a form that isn't known are let through.
func TestRead(t *testing.T) {
	for text, want := range map[string]string{
		"Content-Length: 2\r\n\r\n{}":                                    "",
		"Content-Length: 31\r\n\r\n" + `{"method":"x","params":[1,2,3]}`: "",
		"Content-Length: -1\r\n\r\n{}":                                   "length",
		"Content-Length: 9\r\n\r\n{}":                                    "EOF",
		"Content-Length: 2\r\n\r\n}{":                                    "invalid character",
		"hello\r\n\r\n":                                                  "malformed",
	} {
		m, err := read(bufio.NewReader(strings.NewReader(text)))
		if want == "" && (err != nil || !json.Valid(m.text)) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q was read as %s, %v; expected %q", text, m.text, err, want)
		}
	}
}

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// session is one with gopls that is opened before there is a client.
type session struct {
	folder string // where GoNB writes a cell's program
	in     io.Writer
	out    *bufio.Reader
	start  time.Time       // when packages began to load
	answer message         // to our initialize
	left   map[string]bool // files that the client opened and gopls reads from the disk

	mu     sync.Mutex // guards client, and lets one message through at a time
	client io.Writer
}

func newSession(folder string, in io.Writer, out io.Reader) *session {
	return &session{folder: folder, in: in, out: bufio.NewReader(out), left: map[string]bool{}}
}

// workspace is how long the session waits for GoNB to write go.work, without which gopls would
// load less than the cells see. GoNB does so some milliseconds after it has started gopls.
const workspace = 5 * time.Second

// open opens the session, and returns when gopls has begun to load packages.
func (s *session) open() error {
	for end := time.Now().Add(workspace); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(s.folder, "go.work")); err == nil {
			break
		}
	}
	s.start = time.Now()
	if err := send(s.in, call{Version: "2.0", ID: new(0), Method: "initialize", Params: map[string]any{
		"processId":        os.Getpid(),
		"capabilities":     struct{}{},
		"workspaceFolders": []map[string]string{{"uri": address(s.folder), "name": filepath.Base(s.folder)}},
		// Nobody looks at the diagnostics of files: they would only keep gopls busy.
		"initializationOptions": map[string]any{"diagnosticsTrigger": "Save"},
	}}); err != nil {
		return err
	}
	for s.answer.Result == nil {
		m, err := read(s.out)
		if err != nil {
			return err
		}
		if m.Error != nil {
			return fmt.Errorf("gopls refuses the session: %s", m.Error)
		}
		s.answer = m
	}
	return send(s.in, call{Version: "2.0", Method: "initialized", Params: struct{}{}})
}

// call is a request, or a notification if it has no ID.
type call struct {
	Version string `json:"jsonrpc"`
	ID      *int   `json:"id,omitempty"`
	Method  string `json:"method"`
	Params  any    `json:"params"`
}

func address(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }

// hear passes on what gopls says, to nobody as long as there is no client.
func (s *session) hear() error {
	for {
		m, err := read(s.out)
		if err != nil {
			return err
		}
		if err := s.tell(m.text); err != nil {
			return err
		}
	}
}

func (s *session) tell(text []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil {
		return nil
	}
	return write(s.client, text)
}

// serve lets a client have the session, until the client ends it.
func (s *session) serve(client net.Conn) error {
	r := bufio.NewReader(client)
	for {
		m, err := read(r)
		if err != nil {
			return err
		}
		uri := m.Params.Document.URI
		switch {
		case m.Method == "initialize":
			s.mu.Lock()
			s.client = client // hears nothing before this answer
			s.mu.Unlock()
			err = s.tell(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, s.answer.Result))
		case m.Method == "initialized":
		case m.Method == "textDocument/didOpen" && !s.edited(uri):
			s.left[uri] = true
			if s.newer(uri) {
				err = s.changed(uri, created)
			}
		case m.Method == "textDocument/didChange" && s.left[uri]:
			err = s.changed(uri, written)
		case m.Method == "textDocument/didClose" && s.left[uri]:
			delete(s.left, uri)
			err = s.changed(uri, removed)
		default:
			err = write(s.in, m.text)
		}
		if err != nil {
			return err
		}
	}
}

// edited says whether a file is a cell's program, which GoNB writes again and again. Other
// files are as they are on the disk when GoNB opens them.
func (s *session) edited(uri string) bool {
	return strings.HasPrefix(uri, address(s.folder)+"/") && filepath.Ext(uri) == ".go"
}

// newer says whether a file was written since gopls loaded the packages.
func (s *session) newer(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil {
		return true
	}
	info, err := os.Stat(u.Path)
	return err != nil || info.ModTime().After(s.start)
}

// How a file on the disk can change.
const (
	created = 1 + iota
	written
	removed
)

// changed tells gopls of a file on the disk.
func (s *session) changed(uri string, how int) error {
	return send(s.in, call{Version: "2.0", Method: "workspace/didChangeWatchedFiles", Params: map[string]any{
		"changes": []map[string]any{{"uri": uri, "type": how}},
	}})
}

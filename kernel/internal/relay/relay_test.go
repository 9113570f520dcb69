package main

import (
	"bufio"
	"bytes"
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

// Frames of all sizes come as they went, and what isn't ZMTP is an error.
func TestFrames(t *testing.T) {
	parts := [][]byte{{}, []byte("a"), bytes.Repeat([]byte("b"), 255), bytes.Repeat([]byte("c"), 70_000)}
	text := wire(parts, false)
	got, command, err := readParts(bufio.NewReader(bytes.NewReader(text)))
	if err != nil || command || len(got) != len(parts) {
		t.Fatalf("%d parts, %v", len(got), err)
	}
	for i := range parts {
		if !bytes.Equal(got[i], parts[i]) {
			t.Errorf("part %d has %d bytes, expected %d", i, len(got[i]), len(parts[i]))
		}
	}
	if _, command, err := readParts(bufio.NewReader(bytes.NewReader(wire([][]byte{[]byte("x")}, true)))); err != nil || !command {
		t.Errorf("a command: %v, %v", command, err)
	}
	for text, want := range map[string]string{
		"GET / HTTP/1.1\r\n":                   "isn't ZMTP",
		"\x02\xff\xff\xff\xff\xff\xff\xff\xff": "was announced",
		"\x00\x05abc":                          "EOF",
		"\x02\x00":                             "EOF",
	} {
		if _, err := readFrame(bufio.NewReader(strings.NewReader(text))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: the error is %v, expected %q", text, err, want)
		}
	}
	for greeting, want := range map[string]string{
		"GET / HTTP/1.1\r\n" + strings.Repeat("x", 64):                                       "speaks version",
		"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03\x00CURVE" + strings.Repeat("\x00", 47): `mechanism "CURVE"`,
	} {
		if err := greet(bufio.NewReader(strings.NewReader(greeting)), io.Discard, "PUB"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, expected %q", err, want)
		}
	}
}

// newMessage is a message of a cell's.
func newMessage(t *testing.T, kind, parent string, content any) message {
	t.Helper()
	text, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	m := message{
		rawHead: fmt.Appendf(nil, `{"msg_id":"m-%s","msg_type":%q,"session":"s"}`, kind, kind),
		rawFrom: fmt.Appendf(nil, `{"msg_id":%q}`, parent),
		meta:    json.RawMessage("{}"), content: text, before: [][]byte{[]byte("topic")}, buffers: [][]byte{[]byte("raw")},
	}
	again, err := parse(m.sealed([]byte("key")))
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// A message that is changed is signed anew, as Jupyter's documentation says.
func TestMessage(t *testing.T) {
	m := newMessage(t, "stream", "1", map[string]string{"text": "a"})
	sealed := m.sealed([]byte("key"))
	// hmac.new(b"key", digestmod="sha256") in Python over the four parts.
	const want = "05ef03e4c9025248938e3d779c7dd54c8c2fea9b3c429321431195bf8a5d01e8"
	if got := string(sealed[2]); got != want {
		t.Errorf("the signature is %s, expected %s", got, want)
	}
	if got := m.sealed(nil)[2]; len(got) != 0 {
		t.Errorf("without a key the signature is %s", got)
	}
	if len(sealed) != 8 || string(sealed[7]) != "raw" || m.header.Type != "stream" || m.parent.ID != "1" {
		t.Errorf("it became %q", sealed)
	}
	for _, parts := range [][][]byte{{}, {[]byte("x")}, {delimiter, nil, nil}, {delimiter, nil, []byte("{"), []byte("{}"), nil, nil}} {
		if _, err := parse(parts); err == nil {
			t.Errorf("%q is taken for a message", parts)
		}
	}
}

// What GoNB says of a cell that fails becomes a line, and the rest.
func TestExplain(t *testing.T) {
	const running = "\n\ngoroutine 1 [running]:\nmain.deep(...)\n\t\x1b[7m[[ Cell [2] Line 4 ]]\x1b[0m /tmp/gonb_1/main.go:9\nmain.main()\n\t\x1b[7m[[ Cell [3] Line 2 ]]\x1b[0m /tmp/gonb_1/main.go:17 +0x1d\n"
	red := func(s string) string { return "\x1b[31m" + s + "\x1b[0m" }
	for name, c := range map[string]struct {
		source, held, value string
		trace               []string
		line, rest          string
	}{
		"a compile error": {
			source: "%%\nmissing()", trace: []string{red("# gonb_1"), "Cell[3]: Line 2\nfunc main() {\n" + red("undefined: missing")},
			line: "cell 3, line 2: undefined: missing",
		},
		"several": {
			source: "%%\na := b",
			trace:  []string{"Cell[3]: Line 2\n" + red("declared and not used: a"), "Cell[2]: Line 7\n" + red("undefined: b"), ""},
			line:   "cell 2, line 7: undefined: b (and 1 more error)", rest: "cell 3, line 2: declared and not used: a",
		},
		"an unused variable": {
			source: "%%\na := 1", trace: []string{"Cell[3]: Line 2\n" + red("declared and not used: a")},
			line: "cell 3, line 2: declared and not used: a: use it, or write _ for its name",
		},
		"a statement": {
			source: "import \"fmt\"\nx := 2", trace: []string{"Cell[3]: Line 2\nx := 2\n^\n" + red("expected declaration, found x"), "Cell[3]: Line 3\n" + red("expected declaration, found y")},
			line: "cell 3, line 2: this is a statement: put a line %% above the statements of a cell",
		},
		"no statement": {
			source: "%%\n}\nx", trace: []string{"Cell[3]: Line 3\n" + red("expected declaration, found x")},
			line: "cell 3, line 3: expected declaration, found x",
		},
		"a folder": {
			source: "import \"helpers\"", trace: []string{"Cell[3]: Line 1\n" + red("package helpers is not in std (/go/src/helpers)")},
			line: "cell 3, line 1: there is no package helpers: if it is a folder beside the notebook, make a module of the notebook's folder by `!go mod init mine`, and import \"mine/helpers\"",
		},
		"no trace": {value: "it broke\nfor a reason", line: "cell 3: it broke", rest: "for a reason"},
		"a panic": {
			held: "panic: too deep" + running + "exit status 2\n", value: "exit status 2",
			line: "cell 2, line 4: panic: too deep",
			rest: "goroutine 1 [running]:\nmain.deep(...)\n\tcell 2, line 4\nmain.main()\n\tcell 3, line 2",
		},
		"a panic that was written in pieces": {
			held: "panic: too deep [recovered]\n\ngoroutine 1 [running]:\nmain.main()\n\t/tmp/gonb_1/main.go:17 +0x1d\nexit status 2\n", value: "exit status 2",
			line: "cell 9, line 34: panic: too deep", rest: "goroutine 1 [running]:\nmain.main()\n\tcell 9, line 34",
		},
		"an error of nb.Check": {
			held: "nami: the moon\nis down\n\tat \x1b[7m[[ Cell [3] Line 2 ]]\x1b[0m /tmp/gonb_1/main.go:17\nexit status 1\n", value: "exit status 1",
			line: "cell 3, line 2: the moon", rest: "is down",
		},
		"an exit": {held: "exit status 3\n", value: "exit status 3", line: "cell 3: exit status 3"},
	} {
		cell := &cell{number: 3, source: c.source}
		cell.held.WriteString(c.held)
		got := explain(cell, c.value, c.trace, func(path string, line int) (int, int) { return 9, 2 * line })
		if got.line != c.line || got.rest != c.rest {
			t.Errorf("%s: it says\n%s\nand\n%s\nexpected\n%s\nand\n%s", name, got.line, got.rest, c.line, c.rest)
		}
	}
}

// The line of a program is looked for in the cells.
func TestFind(t *testing.T) {
	program := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(program, []byte("package main\n\nfunc f() {\n\tpanic(1)\n}\n\nfunc main() {\n\tflag.Parse()\n\n\tf()\n\tpanic(1)\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &cells{sources: map[int]string{1: "func f() {\n\tpanic(1)\n}", 2: "%%\nf()\npanic(1)"}}
	for line, want := range map[int][2]int{4: {1, 2}, 10: {2, 2}, 11: {2, 3}, 8: {0, 0}, 99: {0, 0}} {
		if n, l := c.find(program, line); n != want[0] || l != want[1] {
			t.Errorf("line %d is cell %d, line %d; expected %v", line, n, l, want)
		}
	}
	if n, _ := c.find(program+"x", 4); n != 0 {
		t.Errorf("a program that isn't there is of cell %d", n)
	}
}

// connected are the two ends of a connection.
func connected(t *testing.T) (a, b net.Conn) {
	t.Helper()
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	if a, err = net.Dial("unix", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(a.Close(), b.Close(), listener.Close()) }) // a test may have closed one
	for _, end := range []net.Conn{a, b} {
		if err := end.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	return a, b
}

// said is what a client reads of what is published.
type said struct{ kind, text string }

// What GoNB publishes arrives in order, at all who subscribed to its topic: what is an error
// as one line, below the rest, and what was held back if there is no error.
func TestPublish(t *testing.T) {
	known := &cells{all: map[string]*cell{}, sources: map[int]string{}}
	p := &publisher{key: []byte("key"), cells: known, subscribers: map[*subscriber]bool{}}
	kernel, ours := connected(t)
	go func() { _ = p.hear(ours) }() // until the pipe is closed
	gonb := bufio.NewReader(kernel)
	if err := greet(gonb, kernel, "PUB"); err != nil {
		t.Fatal(err)
	}
	client, theirs := connected(t)
	go func() { _ = p.serve(theirs) }()
	r := bufio.NewReader(client)
	if err := greet(r, client, "SUB"); err != nil {
		t.Fatal(err)
	}
	if parts, _, err := readParts(gonb); err != nil || string(parts[0]) != "\x01" {
		t.Fatalf("GoNB heard %q, %v; expected a subscription", parts, err)
	}
	if _, err := client.Write(wire([][]byte{[]byte("\x01top")}, false)); err != nil {
		t.Fatal(err)
	}
	for {
		p.mu.Lock()
		ready := false
		for s := range p.subscribers {
			s.mu.Lock()
			ready = s.topics["top"] == 1
			s.mu.Unlock()
		}
		p.mu.Unlock()
		if ready {
			break
		}
		time.Sleep(time.Millisecond)
	}
	publish := func(kind, parent string, content any) {
		t.Helper()
		if _, err := kernel.Write(wire(newMessage(t, kind, parent, content).sealed([]byte("key")), false)); err != nil {
			t.Fatal(err)
		}
	}
	hear := func() (s said) {
		t.Helper()
		parts, _, err := readParts(r)
		if err != nil {
			t.Fatal(err)
		}
		m, err := parse(parts)
		if err != nil || !bytes.Equal(parts[2], m.sealed([]byte("key"))[2]) {
			t.Fatalf("the signature is wrong, or %v", err)
		}
		var content struct {
			Text  string            `json:"text"`
			Value string            `json:"evalue"`
			State string            `json:"execution_state"`
			Data  map[string]string `json:"data"`
		}
		if err := json.Unmarshal(m.content, &content); err != nil {
			t.Fatal(err)
		}
		return said{m.header.Type, content.Text + content.Value + content.State + content.Data["text/plain"]}
	}
	run := func(id, source string) *cell {
		known.ask(id, source)
		publish("status", id, map[string]any{"execution_state": "busy"})
		publish("execute_input", id, map[string]any{"execution_count": 4, "code": source})
		hear()
		hear()
		return known.get(id)
	}
	stderr := func(id string, texts ...string) {
		for _, text := range texts {
			publish("stream", id, map[string]any{"name": "stderr", "text": text})
		}
	}
	end := func(id string) { publish("status", id, map[string]any{"execution_state": "idle"}) }
	expect := func(what string, all ...said) {
		t.Helper()
		for _, want := range all {
			if got := hear(); got != want {
				t.Errorf("%s: heard %q, expected %q", what, got, want)
			}
		}
	}

	c := run("1", "%%\npanic(1)")
	stderr("1", "warned\npan", "ic: not yet\n", "panic: 1\n", "\ngoroutine 1 [run", "ning]:\n", "exit status 2\n")
	publish("error", "1", map[string]any{"evalue": "exit status 2", "traceback": []string{"exit status 2"}})
	end("1")
	expect("a panic", said{"stream", "warned\npan"}, said{"stream", "ic: not yet\n"}, said{"display_data", "goroutine 1 [running]:"}, said{"error", "cell 4: panic: 1"}, said{"status", "idle"})
	<-c.ended
	if c.failed == nil || c.failed.line != "cell 4: panic: 1" {
		t.Errorf("the cell's failure is %v", c.failed)
	}

	run("2", "%%\nfmt.Fprintln(os.Stderr, text)")
	stderr("2", "panic: said\n", "and done\n")
	end("2")
	expect("no panic", said{"stream", "panic: said\nand done\n"}, said{"status", "idle"})

	c = run("3", "!ls /x")
	stderr("3", "one\n", "ls: no /x\n", "exit status 2\n")
	end("3")
	expect("a shell line", said{"display_data", "one"}, said{"error", "cell 4, line 1: the shell line failed, exit status 2: ls: no /x"}, said{"status", "idle"})
	<-c.ended

	run("4", "!make")
	stderr("4", "going on\n")
	expect("a shell line that runs on", said{"stream", "going on\n"})
	end("4")
	expect("its end", said{"status", "idle"})

	publish("status", "of nobody", map[string]any{"execution_state": "busy"})
	expect("what is no cell's", said{"status", "busy"})
	if err := errors.Join(kernel.Close(), client.Close()); err != nil {
		t.Fatal(err)
	}
}

// Requests and answers pass, and the answer of a cell says what its outputs say.
func TestShell(t *testing.T) {
	known := &cells{all: map[string]*cell{}, sources: map[int]string{}}
	s := &shell{key: []byte("key"), cells: known}
	client, front := connected(t)
	back, kernel := connected(t)
	served := make(chan error, 1)
	go func() { served <- s.serve(front, back) }()
	r, gonb := bufio.NewReader(client), bufio.NewReader(kernel)
	greeted := make(chan error, 1)
	go func() { greeted <- greet(r, client, "DEALER") }()
	if err := greet(gonb, kernel, "ROUTER"); err != nil {
		t.Fatal(err)
	}
	if err := <-greeted; err != nil {
		t.Fatal(err)
	}
	request := newMessage(t, "execute_request", "", map[string]string{"code": "x := 2"})
	go func() { _, _ = client.Write(wire(request.sealed([]byte("key")), false)) }() // read below
	parts, _, err := readParts(gonb)
	if err != nil || !bytes.Equal(wire(parts, false), wire(request.sealed([]byte("key")), false)) {
		t.Fatalf("GoNB heard %q, %v", parts, err)
	}
	c := known.get(request.header.ID)
	if c == nil || c.source != "x := 2" {
		t.Fatalf("the cell is %v", c)
	}
	c.failed = &failure{line: "put %% above"}
	close(c.ended)
	reply := newMessage(t, "execute_reply", request.header.ID, map[string]any{"status": "ok", "execution_count": 5, "user_expressions": 1})
	go func() { _, _ = kernel.Write(wire(reply.sealed([]byte("key")), false)) }() // read below
	parts, _, err = readParts(r)
	if err != nil {
		t.Fatal(err)
	}
	m, err := parse(parts)
	if want := `{"ename":"ERROR","evalue":"put %% above","execution_count":5,"status":"error","traceback":["\u001b[31mput %% above\u001b[0m"]}`; err != nil || string(m.content) != want || string(parts[2]) != string(m.sealed([]byte("key"))[2]) {
		t.Errorf("the answer is %s, %v; expected %s", m.content, err, want)
	}
	if known.get(request.header.ID) != nil {
		t.Error("the cell isn't forgotten")
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	<-served
}

// A kernel's folder is its own, is removed with it, and by the next one if it was killed.
func TestSession(t *testing.T) {
	parent := t.TempDir()
	first, err := begin(parent)
	if err != nil {
		t.Fatal(err)
	}
	dead := filepath.Join(parent, prefix+"dead")
	beginning := filepath.Join(parent, prefix+"beginning") // has no lock yet
	if err := errors.Join(os.Mkdir(dead, 0o700), os.WriteFile(filepath.Join(dead, locked), nil, 0o600), os.Mkdir(beginning, 0o700)); err != nil {
		t.Fatal(err)
	}
	second, err := begin(parent)
	if err != nil {
		t.Fatal(err)
	}
	there := func(path string) bool { _, err := os.Stat(path); return err == nil }
	if !there(filepath.Join(first.dir, kept)) || !there(filepath.Join(second.dir, kept)) || there(dead) || !there(beginning) {
		t.Errorf("the folders are there: %v, %v, a dead one %v, one that begins %v", there(first.dir), there(second.dir), there(dead), there(beginning))
	}
	removed := make(chan error, 1)
	go func() { removed <- inherit(first.dir) }()
	select {
	case err := <-removed:
		t.Fatalf("the folder of a kernel that lives is removed, %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if err := first.lock.Close(); err != nil { // as when it is killed
		t.Fatal(err)
	}
	if err := <-removed; err != nil || there(first.dir) {
		t.Errorf("the folder of a kernel that is gone is there: %v, %v", there(first.dir), err)
	}
	if err := second.end(); err != nil || there(second.dir) {
		t.Errorf("the folder is there after the end: %v, %v", there(second.dir), err)
	}
	if err := inherit(second.dir); err != nil {
		t.Errorf("when it is gone already: %v", err)
	}
}

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"strconv"
)

// message is what this program has to know of a message of the language server protocol, and
// its text.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Document struct {
			URI  string `json:"uri"`
			Text string `json:"text"`
		} `json:"textDocument"`
	} `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`

	text []byte
}

// read reads a message: a header with its length, and JSON.
func read(r *bufio.Reader) (m message, err error) {
	header, err := textproto.NewReader(r).ReadMIMEHeader()
	if err != nil {
		return m, err
	}
	n, err := strconv.Atoi(header.Get("Content-Length"))
	if err != nil || n < 0 {
		return m, fmt.Errorf("a message has the length %q", header.Get("Content-Length"))
	}
	m.text = make([]byte, n)
	if _, err := io.ReadFull(r, m.text); err != nil {
		return m, err
	}
	// Parameters of other methods may have another form: then they aren't looked at.
	var other *json.UnmarshalTypeError
	if err := json.Unmarshal(m.text, &m); err != nil && !errors.As(err, &other) {
		return m, err
	}
	return m, nil
}

// write writes JSON as a message.
func write(w io.Writer, text []byte) error {
	_, err := fmt.Fprintf(w, "Content-Length: %d\r\n\r\n%s", len(text), text)
	return err
}

// send writes a value as a message.
func send(w io.Writer, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return write(w, text)
}

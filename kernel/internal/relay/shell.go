package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"time"
)

// lag is how long an answer waits for what the cell published before.
const lag = 10 * time.Second

// shell passes requests on to GoNB, and answers back, with the failures that the cell's
// outputs show.
type shell struct {
	key   []byte
	cells *cells
}

// serve passes on what two sides say, until one of them ends.
func (s *shell) serve(client, kernel net.Conn) error {
	ended := make(chan error, 2)
	go func() { ended <- relay(client, kernel, s.ask) }()
	go func() { ended <- relay(kernel, client, s.answer) }()
	err := <-ended
	return errors.Join(err, client.Close(), kernel.Close(), <-ended)
}

// relay passes on a greeting, commands and messages, which pass may change.
func relay(from io.Reader, to io.Writer, pass func([][]byte) [][]byte) error {
	r := bufio.NewReader(from)
	if _, err := io.CopyN(to, r, greetingSize); err != nil {
		return err
	}
	for {
		parts, command, err := readParts(r)
		if err != nil {
			return err
		}
		if !command {
			parts = pass(parts)
		}
		if _, err := to.Write(wire(parts, command)); err != nil {
			return err
		}
	}
}

// ask notes a cell that is to be run.
func (s *shell) ask(parts [][]byte) [][]byte {
	m, err := parse(parts)
	if err != nil || m.header.Type != "execute_request" {
		return parts
	}
	var content struct {
		Code string `json:"code"`
	}
	if err := json.Unmarshal(m.content, &content); err == nil {
		s.cells.ask(m.header.ID, content.Code)
	}
	return parts
}

// answer gives the answer to a cell the failure that its outputs show.
func (s *shell) answer(parts [][]byte) [][]byte {
	m, err := parse(parts)
	if err != nil || m.header.Type != "execute_reply" {
		return parts
	}
	c := s.cells.get(m.parent.ID)
	if c == nil {
		return parts
	}
	defer s.cells.forget(m.parent.ID)
	select {
	case <-c.ended:
	case <-time.After(lag):
		return parts
	}
	if c.failed == nil {
		return parts
	}
	var content map[string]any
	if err := json.Unmarshal(m.content, &content); err != nil {
		return parts
	}
	content["status"] = "error"
	delete(content, "user_expressions")
	for key, value := range c.failed.reply() {
		content[key] = value
	}
	if m, err = m.with(content); err != nil {
		return parts
	}
	return m.sealed(s.key)
}

package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
)

// message is one of Jupyter's (jupyter-client.readthedocs.io, "Messaging in Jupyter"), with
// the parts that nobody looks at as they came.
type message struct {
	before  [][]byte // whom it is for, or its topic
	header  header
	parent  header
	meta    json.RawMessage
	content json.RawMessage
	buffers [][]byte
	rawHead json.RawMessage
	rawFrom json.RawMessage // the parent's header
}

// header is what we look at of a message's header.
type header struct {
	ID   string `json:"msg_id"`
	Type string `json:"msg_type"`
}

var delimiter = []byte("<IDS|MSG>")

var errNoMessage = errors.New("this isn't a message of Jupyter's")

// parse reads a message. Its signature is GoNB's, or Jupyter's, to check.
func parse(parts [][]byte) (m message, err error) {
	at := 0
	for at < len(parts) && !bytes.Equal(parts[at], delimiter) {
		at++
	}
	if len(parts) < at+6 {
		return m, errNoMessage
	}
	m.before = parts[:at]
	m.rawHead, m.rawFrom, m.meta, m.content, m.buffers = parts[at+2], parts[at+3], parts[at+4], parts[at+5], parts[at+6:]
	if err := json.Unmarshal(m.rawHead, &m.header); err != nil {
		return m, err
	}
	return m, json.Unmarshal(m.rawFrom, &m.parent)
}

// sealed are the parts of a message with its signature.
func (m message) sealed(key []byte) [][]byte {
	body := [][]byte{m.rawHead, m.rawFrom, m.meta, m.content}
	signature := []byte{} // Jupyter may have been told to sign nothing
	if len(key) > 0 {
		sum := hmac.New(sha256.New, key)
		for _, part := range body {
			sum.Write(part)
		}
		signature = []byte(hex.EncodeToString(sum.Sum(nil)))
	}
	parts := append(append([][]byte{}, m.before...), delimiter, signature)
	return append(append(parts, body...), m.buffers...)
}

// with is the message with another content.
func (m message) with(content any) (message, error) {
	text, err := json.Marshal(content)
	m.content = text
	return m, err
}

// beside is another message of the same cell, which nobody but us says. mark makes its
// identity different.
func (m message) beside(kind, mark string, content any) (message, error) {
	var head map[string]any
	if err := json.Unmarshal(m.rawHead, &head); err != nil {
		return m, err
	}
	head["msg_type"], head["msg_id"] = kind, m.header.ID+mark
	var err error
	if m.rawHead, err = json.Marshal(head); err != nil {
		return m, err
	}
	m.header = header{ID: m.header.ID + mark, Type: kind}
	m.meta, m.buffers = json.RawMessage("{}"), nil
	return m.with(content)
}

package modelfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A tree is JSON in memory: nil, a bool, a json.Number, a string, a list or an object.
type (
	list   []any
	object []member
	member struct {
		key   string
		value any
	}
)

// get is the value of a key; nil without it.
func (o object) get(key string) any {
	for _, m := range o {
		if m.key == key {
			return m.value
		}
	}
	return nil
}

// MarshalJSON keeps the order of the members.
func (o object) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			out.WriteByte(',')
		}
		key, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		out.Write(key)
		out.WriteByte(':')
		out.Write(value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// deepest is how many levels a description may have, in each other.
const deepest = 100

// parse reads JSON into a tree. Unlike encoding/json it refuses a key that is there twice, what
// follows the value, and text that is nested too deep.
func parse(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	value, err := parseValue(d, 0)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the text ends too early")
	}
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("something follows the value, after %d bytes", d.InputOffset())
	}
	return value, nil
}

func parseValue(d *json.Decoder, depth int) (any, error) {
	if depth > deepest {
		return nil, fmt.Errorf("it is nested more than %d levels deep", deepest)
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('['):
		out := list{}
		for d.More() {
			value, err := parseValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, value)
		}
		_, err := d.Token()
		return out, err
	case json.Delim('{'):
		out := object{}
		seen := map[string]bool{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			name := key.(string) // the decoder accepts no other
			if seen[name] {
				return nil, fmt.Errorf("the key %q is there twice", name)
			}
			seen[name] = true
			value, err := parseValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, member{name, value})
		}
		_, err := d.Token()
		return out, err
	}
	return token, nil
}

// kindOf is what a tree is, for people.
func kindOf(tree any) string {
	switch tree := tree.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number:
		return "the number " + tree.String()
	case string:
		return fmt.Sprintf("the text %q", short(tree))
	case list:
		return "a list"
	}
	return "an object"
}

// short is a text, cut if it is long.
func short(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

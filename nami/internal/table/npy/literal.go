package npy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// literal reads what a header is: a Python literal of dictionaries, lists, tuples, strings,
// integers, booleans and None.
func literal(text string) (any, error) {
	p := &reader{text: text}
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if p.space(); p.at < len(text) {
		return nil, fmt.Errorf("something follows the literal at byte %d", p.at)
	}
	return v, nil
}

type reader struct {
	text string
	at   int
}

// space goes past white space.
func (p *reader) space() {
	for p.at < len(p.text) && strings.ContainsRune(" \t\r\n\x00", rune(p.text[p.at])) {
		p.at++
	}
}

// is goes past a sign, if it comes next.
func (p *reader) is(sign byte) bool {
	p.space()
	if p.at < len(p.text) && p.text[p.at] == sign {
		p.at++
		return true
	}
	return false
}

// value reads a value, within so many others.
func (p *reader) value(depth int) (any, error) {
	if depth > 10 {
		return nil, errors.New("it is nested too deeply")
	}
	switch p.space(); {
	case p.at == len(p.text):
		return nil, errors.New("it ends too early")
	case p.is('{'):
		dict := map[string]any{}
		for !p.is('}') {
			key, err := p.value(depth + 1)
			name, ok := key.(string)
			if err != nil || !ok || !p.is(':') {
				return nil, fmt.Errorf("expected a name and a colon at byte %d", p.at)
			}
			if dict[name], err = p.value(depth + 1); err != nil {
				return nil, err
			}
			if !p.is(',') && !(p.at < len(p.text) && p.text[p.at] == '}') {
				return nil, fmt.Errorf("expected a comma at byte %d", p.at)
			}
		}
		return dict, nil
	case p.is('('):
		return p.list(')', depth)
	case p.is('['):
		return p.list(']', depth)
	case p.text[p.at] == '\'' || p.text[p.at] == '"':
		return p.quoted()
	}
	end := p.at
	for end < len(p.text) && !strings.ContainsRune(",:)]} \t\r\n", rune(p.text[end])) {
		end++
	}
	word := p.text[p.at:end]
	p.at = end
	switch word {
	case "True":
		return true, nil
	case "False":
		return false, nil
	case "None":
		return nil, nil
	}
	n, err := strconv.Atoi(strings.TrimSuffix(word, "L")) // Python 2's long integers
	if err != nil {
		return nil, fmt.Errorf("%q isn't an integer that fits", word)
	}
	return n, nil
}

func (p *reader) list(end byte, depth int) (any, error) {
	list := []any{}
	for !p.is(end) {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		if !p.is(',') && !(p.at < len(p.text) && p.text[p.at] == end) {
			return nil, fmt.Errorf("expected a comma at byte %d", p.at)
		}
	}
	return list, nil
}

// quoted reads a string, with the escapes that Python's repr writes.
func (p *reader) quoted() (string, error) {
	quote := p.text[p.at]
	rest, out := p.text[p.at+1:], strings.Builder{}
	for rest != "" && rest[0] != quote {
		if rest[0] == '\\' && len(rest) > 1 && (rest[1] == '\'' || rest[1] == '"') {
			out.WriteByte(rest[1])
			rest = rest[2:]
			continue
		}
		r, _, tail, err := strconv.UnquoteChar(rest, quote)
		if err != nil {
			return "", fmt.Errorf("the string at byte %d can't be read", p.at)
		}
		out.WriteRune(r)
		rest = tail
	}
	if rest == "" {
		return "", fmt.Errorf("the string at byte %d doesn't end", p.at)
	}
	p.at = len(p.text) - len(rest) + 1
	return out.String(), nil
}

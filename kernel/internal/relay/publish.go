package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// publisher passes on what GoNB publishes, to all who subscribed, with failures in a line.
type publisher struct {
	key   []byte
	cells *cells

	mu          sync.Mutex
	subscribers map[*subscriber]bool
}

// subscriber is one who listens. What it hasn't read yet is kept for it.
type subscriber struct {
	mu     sync.Mutex
	more   *sync.Cond
	queue  [][]byte
	topics map[string]int
	closed bool
}

// hear reads what GoNB publishes, until it ends.
func (p *publisher) hear(conn net.Conn) error {
	r := bufio.NewReader(conn)
	if err := greet(r, conn, "SUB"); err != nil {
		return err
	}
	if _, err := conn.Write(wire([][]byte{{1}}, false)); err != nil { // to all topics
		return err
	}
	type heard struct {
		parts [][]byte
		err   error
	}
	messages := make(chan heard)
	go func() {
		for {
			parts, command, err := readParts(r)
			if err == nil && command {
				continue
			}
			messages <- heard{parts, err}
			if err != nil {
				return
			}
		}
	}()
	tick := time.NewTicker(patience / 4)
	defer tick.Stop()
	var last message // of the cell that runs, to speak in its name
	for {
		select {
		case h := <-messages:
			if h.err != nil {
				return h.err
			}
			m, err := parse(h.parts)
			if err != nil {
				p.tell(h.parts)
				continue
			}
			if p.cells.get(m.parent.ID) != nil {
				last = m
			}
			for _, out := range p.pass(m, time.Now()) {
				p.tell(out.sealed(p.key))
			}
		case now := <-tick.C:
			if c := p.cells.get(last.parent.ID); c != nil && c.waiting {
				if text := c.overdue(now); text != "" {
					for _, out := range p.say(last, fmt.Sprintf("-%d", now.UnixNano()), text) {
						p.tell(out.sealed(p.key))
					}
				}
			}
		}
	}
}

// pass returns what is to be published in the place of a message.
func (p *publisher) pass(m message, now time.Time) []message {
	c := p.cells.get(m.parent.ID)
	if c == nil || !c.waiting {
		return []message{m}
	}
	var content struct {
		Number int      `json:"execution_count"`
		Stream string   `json:"name"`
		Text   string   `json:"text"`
		Value  string   `json:"evalue"`
		Trace  []string `json:"traceback"`
		State  string   `json:"execution_state"`
	}
	if err := json.Unmarshal(m.content, &content); err != nil {
		return []message{m}
	}
	switch {
	case m.header.Type == "execute_input":
		p.cells.number(c, content.Number)
	case m.header.Type == "stream" && content.Stream == "stderr":
		shown := c.hear(content.Text, now)
		if shown == content.Text {
			break
		}
		return p.say(m, "", shown)
	case m.header.Type == "error":
		if _, shell := c.shells(); shell && !ending.MatchString(content.Value) {
			// The compiler's words: those of the shell lines above are of no concern.
			out := p.say(m, "-said", c.held.String())
			c.held.Reset()
			return append(out, p.fail(m, c, explain(c, content.Value, content.Trace, p.cells.find))...)
		}
		return p.fail(m, c, explain(c, content.Value, content.Trace, p.cells.find))
	case m.header.Type == "status" && content.State == "idle":
		var out []message
		if c.failed == nil && c.held.Len() > 0 {
			if line, shell := c.shells(); shell && ending.MatchString(c.held.String()) {
				out = p.fail(m, c, unwell(c, line))
			} else {
				out = p.say(m, "-said", c.held.String())
			}
		}
		c.waiting = false
		close(c.ended)
		return append(out, m)
	}
	return []message{m}
}

// unwell is the failure of a shell line.
func unwell(c *cell, line int) failure {
	text := strings.TrimSpace(colours.ReplaceAllString(c.held.String(), ""))
	end := strings.TrimSpace(ending.FindString(text))
	words := strings.Split(strings.TrimSpace(ending.ReplaceAllString(text, "")), "\n")
	f := failure{line: at(c, line) + "a shell line failed, " + end}
	if line > 0 {
		f.line = at(c, line) + "the shell line failed, " + end
	}
	if last := strings.TrimSpace(words[len(words)-1]); last != "" {
		f.line += ": " + last
		f.rest = strings.Join(words[:len(words)-1], "\n")
	}
	return f
}

// fail publishes a failure: its line as an error, below the rest.
func (p *publisher) fail(m message, c *cell, f failure) (out []message) {
	c.failed = &f
	c.held.Reset()
	if f.rest != "" {
		if folded, err := m.beside("display_data", "-rest", map[string]any{
			"data":      map[string]string{"text/html": f.folded(), "text/plain": f.rest},
			"metadata":  map[string]any{"nami": map[string]bool{"folded": true}},
			"transient": struct{}{},
		}); err == nil {
			out = append(out, folded)
		}
	}
	if told, err := m.beside("error", "-line", f.reply()); err == nil {
		out = append(out, told)
	}
	return out
}

// reply is what a failure adds to the answer of a cell.
func (f failure) reply() map[string]any {
	return map[string]any{"ename": "ERROR", "evalue": f.line, "traceback": []string{"\x1b[31m" + f.line + "\x1b[0m"}}
}

// say publishes text as a cell's standard error.
func (p *publisher) say(m message, mark, text string) []message {
	if text == "" {
		return nil
	}
	said, err := m.beside("stream", mark, map[string]string{"name": "stderr", "text": text})
	if err != nil {
		return nil
	}
	return []message{said}
}

// tell puts a message into the queue of all who subscribed to its topic.
func (p *publisher) tell(parts [][]byte) {
	text := wire(parts, false)
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.subscribers {
		s.put(string(parts[0]), text)
	}
}

func (s *subscriber) put(topic string, text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for wanted, n := range s.topics {
		if n > 0 && strings.HasPrefix(topic, wanted) {
			s.queue = append(s.queue, text)
			s.more.Signal()
			return
		}
	}
}

// serve lets somebody subscribe, until the connection ends.
func (p *publisher) serve(conn net.Conn) error {
	r := bufio.NewReader(conn)
	if err := greet(r, conn, "PUB"); err != nil {
		return err
	}
	s := &subscriber{topics: map[string]int{}}
	s.more = sync.NewCond(&s.mu)
	p.mu.Lock()
	p.subscribers[s] = true
	p.mu.Unlock()
	go s.write(conn)
	defer func() {
		p.mu.Lock()
		delete(p.subscribers, s)
		p.mu.Unlock()
		s.mu.Lock()
		s.closed = true
		s.more.Signal()
		s.mu.Unlock()
	}()
	for {
		parts, command, err := readParts(r)
		if err != nil {
			return err
		}
		if command || len(parts) != 1 || len(parts[0]) == 0 {
			continue
		}
		s.mu.Lock()
		switch topic := string(parts[0][1:]); parts[0][0] {
		case 1:
			s.topics[topic]++
		case 0:
			s.topics[topic]--
		}
		s.mu.Unlock()
	}
}

func (s *subscriber) write(conn net.Conn) {
	for {
		s.mu.Lock()
		for len(s.queue) == 0 && !s.closed {
			s.more.Wait()
		}
		queue := s.queue
		s.queue = nil
		closed := s.closed
		s.mu.Unlock()
		for _, text := range queue {
			if _, err := conn.Write(text); err != nil {
				return
			}
		}
		if closed {
			return
		}
	}
}

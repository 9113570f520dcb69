package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// What we have to know of ZMTP 3.0, the protocol of ZeroMQ's sockets (rfc.zeromq.org/spec/23):
// a greeting, a command READY with the kind of socket, and then messages of frames.

// The bits of a frame's first byte.
const (
	flagMore    = 1 << iota // another frame of the message follows
	flagLong                // the size has eight bytes, not one
	flagCommand             // not a message
)

const (
	greetingSize = 64
	largestFrame = 1 << 31 // nobody displays more; what claims to be larger isn't ZMTP
)

// frame is a part of a message, or a command.
type frame struct {
	flags byte // without flagLong
	body  []byte
}

// readFrame reads a frame.
func readFrame(r *bufio.Reader) (f frame, err error) {
	if f.flags, err = r.ReadByte(); err != nil {
		return f, err
	}
	if f.flags&^(flagMore|flagLong|flagCommand) != 0 {
		return f, fmt.Errorf("a frame begins with %#x: this isn't ZMTP 3", f.flags)
	}
	width := 1
	if f.flags&flagLong != 0 {
		width = 8
	}
	var size [8]byte
	if _, err := io.ReadFull(r, size[8-width:]); err != nil {
		return f, err
	}
	n := binary.BigEndian.Uint64(size[:])
	if n > largestFrame {
		return f, fmt.Errorf("a frame of %d bytes was announced, and at most %d are read", n, uint64(largestFrame))
	}
	f.flags &^= flagLong
	f.body = make([]byte, n)
	_, err = io.ReadFull(r, f.body)
	return f, err
}

// appendFrame appends the bytes of a frame.
func appendFrame(b []byte, f frame) []byte {
	if len(f.body) > 255 {
		b = append(b, f.flags|flagLong)
		b = binary.BigEndian.AppendUint64(b, uint64(len(f.body)))
	} else {
		b = append(b, f.flags, byte(len(f.body)))
	}
	return append(b, f.body...)
}

// readParts reads a command, or all frames of a message.
func readParts(r *bufio.Reader) (parts [][]byte, command bool, err error) {
	for {
		f, err := readFrame(r)
		if err != nil {
			return nil, false, err
		}
		parts = append(parts, f.body)
		if f.flags&flagCommand != 0 {
			return parts, true, nil
		}
		if f.flags&flagMore == 0 {
			return parts, false, nil
		}
	}
}

// wire are the bytes of a message, or of a command.
func wire(parts [][]byte, command bool) (b []byte) {
	for i, part := range parts {
		var flags byte
		switch {
		case command:
			flags = flagCommand
		case i < len(parts)-1:
			flags = flagMore
		}
		b = appendFrame(b, frame{flags, part})
	}
	return b
}

// greet shakes hands as a socket of a kind, such as PUB, with one that answers as it should.
func greet(r *bufio.Reader, w io.Writer, kind string) error {
	greeting := make([]byte, greetingSize)
	greeting[0], greeting[9], greeting[10] = 0xff, 0x7f, 3 // the signature, and version 3.0
	copy(greeting[12:], "NULL")
	if _, err := w.Write(greeting); err != nil {
		return err
	}
	theirs := make([]byte, greetingSize)
	if _, err := io.ReadFull(r, theirs); err != nil {
		return err
	}
	mechanism := string(bytes.TrimRight(theirs[12:32], "\x00"))
	if theirs[0] != 0xff || theirs[9] != 0x7f || theirs[10] < 3 || mechanism != "NULL" {
		return fmt.Errorf("the other side speaks version %d of ZMTP with the mechanism %q: expected 3 and NULL", theirs[10], mechanism)
	}
	ready := append([]byte{5}, "READY"...)
	ready = append(append(ready, 11), "Socket-Type"...)
	ready = binary.BigEndian.AppendUint32(ready, uint32(len(kind)))
	ready = append(ready, kind...)
	if _, err := w.Write(wire([][]byte{ready}, true)); err != nil {
		return err
	}
	answer, command, err := readParts(r)
	if err != nil {
		return err
	}
	if !command || !bytes.HasPrefix(answer[0], []byte("\x05READY")) {
		return errors.New("the other side doesn't say READY")
	}
	return nil
}

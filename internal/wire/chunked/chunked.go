// Package chunked decodes the chunked transfer coding (RFC 9112, section 7.1), in both
// directions.
package chunked

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

const (
	// maxLine bounds a line with a chunk's size and extensions, in bytes.
	maxLine = 4096

	// maxWaste bounds the surplus of framing bytes over a reasonable number, which is
	// 16 per chunk and twice the data.
	maxWaste = 16 << 10
)

// Reader decodes chunks up to and including the line of the last one. The trailer
// follows, for header.ReadTrailer. Unlike httputil's reader it can be used again after
// an error of the underlying one: it takes bytes only when all necessary ones are
// there, and never waits while it can return data. The zero value needs a source: see
// [New].
type Reader struct {
	br    *bufio.Reader
	left  int64 // remaining bytes of the chunk
	tail  bool  // the CRLF of a chunk follows
	waste int64
}

// New returns a reader of the chunks in br.
func New(br *bufio.Reader) *Reader { return &Reader{br: br} }

// Read returns io.EOF, without bytes, after the line of the last chunk.
func (c *Reader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if n > 0 && !c.ready() {
			break
		}
		if c.left == 0 {
			if err := c.next(); err != nil {
				return n, err
			}
			continue
		}
		room := p[n:]
		m, err := c.br.Read(room[:min(int64(len(room)), c.left)])
		n += m
		c.left -= int64(m)
		c.tail = c.left == 0
		if err != nil {
			return n, unexpected(err)
		}
	}
	return n, nil
}

// ready reports whether more can be decoded without waiting. A separate Read handles
// the last chunk.
func (c *Reader) ready() bool {
	have, _ := c.br.Peek(c.br.Buffered())
	if c.left > 0 {
		return len(have) > 0
	}
	if c.tail {
		have = have[min(len(have), 2):]
	}
	return bytes.IndexByte(have, '\n') > 0 && have[0] != '0'
}

// next decodes the bytes before a chunk's data. The last chunk is io.EOF.
func (c *Reader) next() error {
	if c.tail {
		end, err := c.br.Peek(2)
		if err != nil {
			return unexpected(err)
		}
		if string(end) != "\r\n" {
			return errTail
		}
		c.br.Discard(2)
		c.tail = false
	}
	line, err := c.line()
	if err != nil {
		return unexpected(err)
	}
	size, err := c.size(line)
	if err != nil {
		return err
	}
	c.br.Discard(len(line))
	c.left = size
	if size == 0 {
		return io.EOF
	}
	return nil
}

// line returns the next line with its end, without consuming it.
func (c *Reader) line() ([]byte, error) {
	for {
		have, _ := c.br.Peek(min(c.br.Buffered(), maxLine))
		if i := bytes.IndexByte(have, '\n'); i >= 0 {
			return have[:i+1], nil
		}
		if len(have) == maxLine {
			return nil, fmt.Errorf("a chunk's size takes more than %d bytes", maxLine)
		}
		if _, err := c.br.Peek(len(have) + 1); err != nil {
			return nil, err
		}
	}
}

// size decodes a line. It ignores extensions, but their size is bounded. Blanks may
// precede one (RFC 9112, section 7.1.1).
func (c *Reader) size(line []byte) (int64, error) {
	if cr := bytes.IndexByte(line, '\r'); cr < 0 || cr != len(line)-2 {
		return 0, errors.New("the line of a chunk's size does not end with CRLF")
	}
	waste := int64(len(line))
	digits, _, _ := bytes.Cut(line[:len(line)-2], []byte(";"))
	size, err := hexadecimal(bytes.TrimRight(digits, " \t"))
	if err != nil {
		return 0, err
	}
	c.waste = max(c.waste+waste-16-2*min(size, 1<<32), 0)
	if c.waste > maxWaste {
		return 0, errors.New("chunks with too little data in them")
	}
	return size, nil
}

// hexadecimal decodes only digits, whereas strconv accepts a sign or "0x". A size must
// fit into 63 bits, like a Content-Length.
func hexadecimal(digits []byte) (int64, error) {
	for _, d := range digits {
		if !('0' <= d && d <= '9' || 'a' <= d && d <= 'f' || 'A' <= d && d <= 'F') {
			return 0, fmt.Errorf("byte %#x in a chunk's size", d)
		}
	}
	if len(digits) == 0 || len(digits) > 16 {
		return 0, fmt.Errorf("a chunk's size of %d digits, not 1 to 16", len(digits))
	}
	size, err := strconv.ParseUint(string(digits), 16, 63)
	if err != nil {
		return 0, fmt.Errorf("a chunk's size of %s, more than 63 bits", digits)
	}
	return int64(size), nil
}

// Ahead inspects the next bytes without consuming them. It returns the error that
// further reading would return, and after the last chunk's line the bytes that follow
// it; ended means that this line has arrived.
func (c *Reader) Ahead(have []byte) (rest []byte, ended bool, err error) {
	next := *c
	for {
		if next.left > int64(len(have)) {
			return nil, false, nil
		}
		have = have[next.left:]
		if next.tail = next.tail || next.left > 0; next.tail {
			switch {
			case len(have) < 2:
				return nil, false, nil
			case string(have[:2]) != "\r\n":
				return nil, false, errTail
			}
			have, next.tail = have[2:], false
		}
		i := bytes.IndexByte(have[:min(len(have), maxLine)], '\n')
		if i < 0 {
			return nil, false, nil
		}
		if next.left, err = next.size(have[:i+1]); err != nil {
			return nil, false, err
		}
		have = have[i+1:]
		if next.left == 0 {
			return have, true, nil
		}
	}
}

var errTail = errors.New("a chunk that does not end with CRLF")

// unexpected converts io.EOF to the error for an end inside a body.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

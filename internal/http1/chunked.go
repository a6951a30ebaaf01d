package http1

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

const (
	// maxChunkLine is the longest line with a chunk's size and extensions.
	maxChunkLine = 4096

	// maxChunkWaste is how many bytes more than reasonable may frame the data:
	// as reasonable count 16 a chunk and twice the data.
	maxChunkWaste = 16 << 10
)

// chunks decodes the chunked coding (RFC 9112, section 7.1) up to and with the
// line of the last chunk. It accepts what httputil.NewChunkedReader does. Unlike
// that it can be read on after br has failed: it takes nothing from br before all
// of what it needs is there, and it never waits while it has something to return.
type chunks struct {
	br    *bufio.Reader
	left  uint64 // bytes of the chunk to come
	tail  bool   // the CRLF of a chunk comes next
	waste int64
}

// Read returns io.EOF, and no bytes with it, after the line of the last chunk.
func (c *chunks) Read(p []byte) (n int, err error) {
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
		m, err := c.br.Read(room[:min(uint64(len(room)), c.left)])
		n += m
		c.left -= uint64(m)
		c.tail = c.left == 0
		if err != nil {
			return n, unexpected(err)
		}
	}
	return n, nil
}

// ready reports whether more can be decoded without waiting. The last chunk is
// left for a Read of its own.
func (c *chunks) ready() bool {
	have, _ := c.br.Peek(c.br.Buffered())
	if c.left > 0 {
		return len(have) > 0
	}
	if c.tail {
		have = have[min(len(have), 2):]
	}
	return bytes.IndexByte(have, '\n') > 0 && have[0] != '0'
}

// next decodes what comes before a chunk's data. The last chunk is io.EOF.
func (c *chunks) next() error {
	if c.tail {
		end, err := c.br.Peek(2)
		if err != nil {
			return unexpected(err)
		}
		if string(end) != "\r\n" {
			return errors.New("a chunk that does not end with CRLF")
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

// line returns the next line with its end, without taking it.
func (c *chunks) line() ([]byte, error) {
	for {
		have, _ := c.br.Peek(min(c.br.Buffered(), maxChunkLine))
		if i := bytes.IndexByte(have, '\n'); i >= 0 {
			return have[:i+1], nil
		}
		if len(have) == maxChunkLine {
			return nil, fmt.Errorf("a chunk's size takes more than %d bytes", maxChunkLine)
		}
		if _, err := c.br.Peek(len(have) + 1); err != nil {
			return nil, err
		}
	}
}

// size decodes a line. Its extensions mean nothing to anybody, but their amount
// is bounded.
func (c *chunks) size(line []byte) (uint64, error) {
	if cr := bytes.IndexByte(line, '\r'); cr < 0 || cr != len(line)-2 {
		return 0, errors.New("the line of a chunk's size does not end with CRLF")
	}
	line = line[:len(line)-2]
	waste := int64(len(line)) + 2
	digits, _, _ := bytes.Cut(bytes.TrimRight(line, " \t"), []byte(";"))
	size, err := hexadecimal(digits)
	if err != nil {
		return 0, err
	}
	c.waste = max(c.waste+waste-16-2*int64(min(size, 1<<32)), 0)
	if c.waste > maxChunkWaste {
		return 0, errors.New("chunks with too little data in them")
	}
	return size, nil
}

// hexadecimal decodes digits only; strconv would take a sign or "0x" as well.
func hexadecimal(digits []byte) (uint64, error) {
	for _, d := range digits {
		if !('0' <= d && d <= '9' || 'a' <= d && d <= 'f' || 'A' <= d && d <= 'F') {
			return 0, fmt.Errorf("byte %#x in a chunk's size", d)
		}
	}
	if len(digits) == 0 || len(digits) > 16 {
		return 0, fmt.Errorf("a chunk's size of %d digits, not 1 to 16", len(digits))
	}
	return strconv.ParseUint(string(digits), 16, 64)
}

// unexpected makes of an end what it is within a body.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

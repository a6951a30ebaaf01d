// Package header reads the header of an HTTP/1.1 message: one string for all of
// its lines, and one array for the values of its fields, which are parts of it.
//
// It knows the form that RFC 9112 asks for and nothing that it allows to be
// lenient about; what of that is let pass is for callers to decide. Its
// functions keep nothing and are safe for concurrent use.
package header

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
)

// ErrFolded tells of a field that goes on in a second line (RFC 9112, section 5.2).
var ErrFolded = errors.New("a header field that is folded onto a second line")

// ErrTooLarge tells that a block has more bytes than it may have.
var ErrTooLarge = errors.New("too many bytes before an empty line")

// ErrBareLF tells of a trailer with a line that does not end with CRLF.
var ErrBareLF = errors.New("a line of the trailer that does not end with CRLF")

// End returns the length of the lines at the beginning of b up to and with the
// first empty one, -1 when that is not there. The first seen bytes have been
// looked through before. Every reader of a head or a trailer ends it here.
func End(b []byte, seen int) int {
	at := max(seen-2, 0)
	if at == 0 {
		if n := emptyLine(b); n > 0 {
			return n
		}
	}
	for {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return -1
		}
		at += i + 1
		if n := emptyLine(b[at:]); n > 0 {
			return at + n
		}
	}
}

// emptyLine returns the length of an empty line that b begins with, else 0.
func emptyLine(b []byte) int {
	switch {
	case len(b) > 0 && b[0] == '\n':
		return 1
	case len(b) > 1 && b[0] == '\r' && b[1] == '\n':
		return 2
	}
	return 0
}

// Read takes the lines up to and with the first empty one, at most max bytes. It
// takes nothing behind them. Errors are the reader's or [ErrTooLarge], with which it
// returns the first max bytes.
func Read(br *bufio.Reader, max int) (string, error) {
	seen := 0
	for {
		have, _ := br.Peek(br.Buffered())
		n := End(have, seen)
		switch {
		case n > max, n < 0 && len(have) > max:
			return string(have[:max]), ErrTooLarge
		case n >= 0:
			block := string(have[:n])
			br.Discard(n)
			return block, nil
		case len(have) == br.Size():
			return readLong(br, max)
		}
		seen = len(have)
		if _, err := br.Peek(seen + 1); err != nil {
			return "", err
		}
	}
}

// readLong is Read of a block that is larger than the reader's buffer.
func readLong(br *bufio.Reader, max int) (string, error) {
	var block []byte
	for {
		if _, err := br.Peek(1); err != nil {
			return "", err
		}
		have, _ := br.Peek(br.Buffered())
		seen := len(block)
		block = append(block, have...)
		n := End(block, seen)
		switch {
		case n > max, n < 0 && len(block) > max:
			return string(block[:max]), ErrTooLarge
		case n >= 0:
			br.Discard(n - seen)
			return string(block[:n]), nil
		}
		br.Discard(len(have))
	}
}

// ReadTrailer takes what follows the last chunk of a body (RFC 9112, section
// 7.1.2), at most max bytes. Other than in a head, a bare LF ends no line: it
// would be left to opinion where the next message begins. An end within it is
// [io.ErrUnexpectedEOF].
func ReadTrailer(br *bufio.Reader, max int) (http.Header, error) {
	block, err := Read(br, max)
	if errors.Is(err, io.EOF) {
		return nil, io.ErrUnexpectedEOF
	}
	if err != nil || block == "\r\n" {
		return nil, err
	}
	if strings.Count(block, "\n") != strings.Count(block, "\r\n") {
		return nil, ErrBareLF
	}
	return Parse(block)
}

// CutLine cuts the first line off, without its end.
func CutLine(s string) (line, rest string) {
	before, after, ok := strings.Cut(s, "\n")
	if !ok {
		return "", ""
	}
	return strings.TrimSuffix(before, "\r"), after
}

// Parse reads the fields of lines up to the empty one. It refuses what is not of
// the form of RFC 9110, section 5, with an error that names no value, which may
// be a secret.
func Parse(lines string) (http.Header, error) {
	var room [24]Field
	h := Head{Fields: room[:0]}
	if err := h.ParseFields(lines); err != nil {
		return nil, err
	}
	return h.Header(), nil
}

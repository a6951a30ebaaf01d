// Package header parses and edits the header of an HTTP/1.1 message.
//
// A [Head] has the start line and the fields of a message, in order and spelled as the
// peer sent them. Its strings are parts of the one string with all lines, so that a
// message costs one allocation. A field that goodgate uses itself has a [Name], which is
// faster to compare than a string.
//
// The package accepts only the form that RFC 9112 requires, without any leniency. Callers
// decide which deviations to accept. The functions keep nothing and are safe for
// concurrent use; a Head belongs to one goroutine.
package header

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
)

// ErrFolded means that a field continues on a second line (RFC 9112, section 5.2).
var ErrFolded = errors.New("a header field that is folded onto a second line")

// ErrTooLarge means that a block exceeds its limit of bytes.
var ErrTooLarge = errors.New("too many bytes before an empty line")

// ErrBareLF means that a line of a trailer does not end with CRLF.
var ErrBareLF = errors.New("a line of the trailer that does not end with CRLF")

// End returns the length of the lines at the beginning of b, up to and including the
// first empty one; -1 without an empty line. Earlier calls have searched the first seen
// bytes. Every reader of a head or a trailer uses End to find its end.
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

// emptyLine returns the length of an empty line at the beginning of b, else 0.
func emptyLine(b []byte) int {
	switch {
	case len(b) > 0 && b[0] == '\n':
		return 1
	case len(b) > 1 && b[0] == '\r' && b[1] == '\n':
		return 2
	}
	return 0
}

// Read reads the lines up to and including the first empty one, at most max bytes, and
// nothing after them. Errors are the reader's, or [ErrTooLarge] with the first max bytes.
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

// readLong is Read for a block that exceeds the reader's buffer.
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

// ReadTrailer reads the trailer after the last chunk of a body (RFC 9112, section 7.1.2),
// at most max bytes. Unlike in a head, a bare LF does not end a line: otherwise readers
// could differ about the beginning of the next message. An end within the trailer is
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

// CutLine cuts off the first line, without its end.
func CutLine(s string) (line, rest string) {
	before, after, ok := strings.Cut(s, "\n")
	if !ok {
		return "", ""
	}
	return strings.TrimSuffix(before, "\r"), after
}

// Parse parses the fields of lines up to the empty one. It refuses fields that do not
// have the form of RFC 9110, section 5. The error names no value, which may be a secret.
func Parse(lines string) (http.Header, error) {
	var room [24]Field
	h := Head{Fields: room[:0]}
	if err := h.ParseFields(lines); err != nil {
		return nil, err
	}
	return h.Header(), nil
}

package gate

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// message is a request or a response on the wire, read by a strict parser: every
// message that it accepts has one meaning only.
type message struct {
	start  string
	fields [][2]string
	body   string
}

// get returns the values of a field, names compared as they should be.
func (m *message) get(name string) []string {
	var values []string
	for _, f := range m.fields {
		if strings.EqualFold(f[0], name) {
			values = append(values, f[1])
		}
	}
	return values
}

// status is the code of a response.
func (m *message) status() int {
	parts := strings.SplitN(m.start, " ", 3)
	code, _ := strconv.Atoi(parts[min(1, len(parts)-1)])
	return code
}

// readStrict reads a message. bodiless reports whether a response has no body
// regardless of its fields. The error is io.EOF if there are no bytes.
func readStrict(br *bufio.Reader, bodiless func(*message) bool) (*message, error) {
	m := &message{}
	for {
		line, err := strictLine(br)
		if err != nil {
			if err == io.EOF && m.start != "" {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		switch {
		case m.start == "":
			m.start = line
		case line == "":
			if bodiless != nil && bodiless(m) {
				return m, nil
			}
			return m, m.readBody(br, bodiless == nil)
		default:
			f, err := strictField(line)
			if err != nil {
				return nil, err
			}
			m.fields = append(m.fields, f)
		}
	}
}

// strictLine reads a line without its CRLF.
func strictLine(br *bufio.Reader) (string, error) {
	line, err := br.ReadString('\n')
	if err != nil {
		if err == io.EOF && line != "" {
			err = io.ErrUnexpectedEOF
		}
		return "", err
	}
	line, ok := strings.CutSuffix(line, "\r\n")
	if !ok {
		return "", fmt.Errorf("%q ends with a bare LF", line)
	}
	for i := range len(line) {
		if c := line[i]; c < ' ' && c != '\t' || c == 0x7f {
			return "", fmt.Errorf("byte %#x in %q", c, line)
		}
	}
	return line, nil
}

func strictField(line string) (f [2]string, err error) {
	name, value, ok := strings.Cut(line, ":")
	if !ok || !httpguts.ValidHeaderFieldName(name) {
		return f, fmt.Errorf("field %q", line)
	}
	return [2]string{name, strings.Trim(value, " \t")}, nil
}

// readBody reads by the one field that says how.
func (m *message) readBody(br *bufio.Reader, request bool) error {
	length, coding := m.get("Content-Length"), m.get("Transfer-Encoding")
	switch {
	case len(length)+len(coding) > 1:
		return fmt.Errorf("framed by Content-Length %q and Transfer-Encoding %q", length, coding)
	case len(length) == 1:
		n, err := strconv.ParseUint(length[0], 10, 31)
		if err != nil {
			return err
		}
		b := make([]byte, n)
		_, err = io.ReadFull(br, b)
		m.body = string(b)
		return noEOF(err)
	case len(coding) == 1 && coding[0] != "chunked":
		return fmt.Errorf("coding %q", coding[0])
	case len(coding) == 1:
		return noEOF(m.readChunks(br))
	case request:
		return nil
	}
	b, err := io.ReadAll(br)
	m.body = string(b)
	return err
}

func (m *message) readChunks(br *bufio.Reader) error {
	for {
		line, err := strictLine(br)
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(line, 16, 31)
		if err != nil {
			return err
		}
		if n == 0 {
			return m.readTrailer(br)
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(br, b); err != nil {
			return err
		}
		m.body += string(b)
		if end, err := strictLine(br); err != nil || end != "" {
			return errors.Join(err, errors.New("a chunk that is longer than it says"))
		}
	}
}

// readTrailer keeps the trailer as fields named "trailer NAME".
func (m *message) readTrailer(br *bufio.Reader) error {
	for {
		line, err := strictLine(br)
		if err != nil || line == "" {
			return err
		}
		f, err := strictField(line)
		if err != nil {
			return err
		}
		switch textproto.CanonicalMIMEHeaderKey(f[0]) {
		case "Content-Length", "Transfer-Encoding", "Host", "Trailer", "Connection", "Authorization", "Cookie", "X-Forwarded-For":
			return fmt.Errorf("trailer %q", f[0])
		}
		m.fields = append(m.fields, [2]string{"trailer " + f[0], f[1]})
	}
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

package inbound

import (
	"bufio"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/goodgate/goodgate/internal/header"
)

// requestError is why a request is refused.
type requestError struct {
	status int
	err    error
}

func (e *requestError) Error() string { return e.err.Error() }
func (e *requestError) Unwrap() error { return e.err }

func malformed(format string, args ...any) error {
	return &requestError{http.StatusBadRequest, fmt.Errorf(format, args...)}
}

// readHead reads a request's line and header, at most max bytes, and returns them
// with the empty line at their end. Empty lines before them are passed over
// (RFC 9112, section 2.2).
func readHead(br *bufio.Reader, max int) (string, error) {
	if err := skipEmpty(br); err != nil {
		return "", err
	}
	return readBlock(br, max)
}

// readBlock reads lines up to and with an empty one.
func readBlock(br *bufio.Reader, max int) (string, error) {
	seen := 0
	for {
		have, _ := br.Peek(br.Buffered())
		if n := header.End(have, seen); n >= 0 && n <= max {
			head := string(have[:n])
			br.Discard(n)
			return head, nil
		}
		if len(have) > max {
			return "", tooLarge(max)
		}
		if len(have) == br.Size() {
			return readLongBlock(br, max)
		}
		seen = len(have)
		if _, err := br.Peek(len(have) + 1); err != nil {
			return "", cut(err)
		}
	}
}

// skipEmpty takes up to two empty lines.
func skipEmpty(br *bufio.Reader) error {
	for range 4 {
		b, err := br.Peek(1)
		if err != nil {
			return err
		}
		if b[0] != '\r' && b[0] != '\n' {
			return nil
		}
		br.Discard(1)
	}
	return nil
}

// readLongBlock reads one that is larger than the reader's buffer.
func readLongBlock(br *bufio.Reader, max int) (string, error) {
	var head []byte
	for {
		line, err := br.ReadSlice('\n')
		if len(head)+len(line) > max {
			return "", tooLarge(max)
		}
		whole := len(head) == 0 || head[len(head)-1] == '\n'
		head = append(head, line...)
		switch {
		case err == bufio.ErrBufferFull:
		case err != nil:
			return "", cut(err)
		case whole && (len(line) == 1 || len(line) == 2 && line[0] == '\r'):
			return string(head), nil
		}
	}
}

func tooLarge(max int) error {
	return &requestError{http.StatusRequestHeaderFieldsTooLarge, fmt.Errorf("the request's header has more than %d bytes (max_header)", max)}
}

// cut marks a connection that ends within a block.
func cut(err error) error { return fmt.Errorf("within a header: %w", err) }

// parse reads a head. On failure what was understood of the request is in r.
func parse(head string, r *http.Request) error {
	first, fields := header.CutLine(head)
	var ok bool
	if r.Method, r.RequestURI, r.Proto, ok = requestLine(first); !ok {
		return malformed("the request line %.100q", first)
	}
	if !httpguts.ValidHeaderFieldName(r.Method) {
		return malformed("the method %.100q", r.Method)
	}
	switch r.Proto {
	case "HTTP/1.1":
		r.ProtoMajor, r.ProtoMinor = 1, 1
	case "HTTP/1.0":
		r.ProtoMajor, r.ProtoMinor = 1, 0
	default:
		return version(r.Proto)
	}
	var err error
	if r.URL, err = target(r.Method, r.RequestURI); err != nil {
		return malformed("the target: %w", err)
	}
	if r.Header, err = parseFields(fields); err != nil {
		return err
	}
	if err := setHost(r); err != nil {
		return err
	}
	return frame(r)
}

func requestLine(line string) (method, target, proto string, ok bool) {
	method, rest, ok1 := strings.Cut(line, " ")
	target, proto, ok2 := strings.Cut(rest, " ")
	return method, target, proto, ok1 && ok2
}

// version refuses what is neither HTTP/1.1 nor 1.0.
func version(proto string) error {
	major, _, ok := http.ParseHTTPVersion(proto)
	if !ok || major == 1 {
		return malformed("the version %.100q", proto)
	}
	return &requestError{http.StatusHTTPVersionNotSupported, fmt.Errorf("the version %.100q", proto)}
}

// target reads a request's target as http.ReadRequest does.
func target(method, uri string) (*url.URL, error) {
	if method != http.MethodConnect || strings.HasPrefix(uri, "/") {
		return url.ParseRequestURI(uri)
	}
	u, err := url.ParseRequestURI("http://" + uri)
	if err == nil {
		u.Scheme = ""
	}
	return u, err
}

// parseFields reads a header's lines up to the empty one.
func parseFields(lines string) (http.Header, error) {
	fields, err := header.Parse(lines)
	if err != nil {
		return nil, malformed("%w", err)
	}
	return fields, nil
}

// setHost finds out for whom the request is. The host of an absolute target
// counts before the field (RFC 9112, section 3.2.2).
func setHost(r *http.Request) error {
	hosts, ok := r.Header["Host"]
	switch {
	case len(hosts) > 1:
		return malformed("%d Host fields", len(hosts))
	case !ok && r.ProtoMinor > 0 && r.Method != http.MethodConnect:
		return malformed("no Host field")
	case ok && !httpguts.ValidHostHeader(hosts[0]):
		return malformed("the host %.100q", hosts[0])
	}
	r.Host = r.URL.Host
	if r.Host == "" && ok {
		r.Host = hosts[0]
	}
	delete(r.Header, "Host")
	return nil
}

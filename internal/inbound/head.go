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
	head, err := header.Read(br, max)
	if err == header.ErrTooLarge {
		return "", &requestError{http.StatusRequestHeaderFieldsTooLarge, fmt.Errorf("the request's header has more than %d bytes (max_header)", max)}
	}
	if err != nil {
		return "", fmt.Errorf("within a header: %w", err)
	}
	return head, nil
}

// skipEmpty takes up to two empty lines. A CR alone is none.
func skipEmpty(br *bufio.Reader) error {
	for range 2 {
		b, err := br.Peek(1)
		if err == nil && b[0] == '\r' {
			b, err = br.Peek(2)
		}
		switch {
		case err != nil:
			return err
		case b[0] == '\n':
			br.Discard(1)
		case string(b) == "\r\n":
			br.Discard(2)
		default:
			return nil
		}
	}
	return nil
}

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

package inbound

import (
	"bufio"
	"cmp"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
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

// readHead reads a request's line and header, at most max bytes, and returns them with
// the empty line at their end. It skips empty lines before them (RFC 9112, section 2.2).
func readHead(br *bufio.Reader, max int) (string, error) {
	if err := skipEmpty(br); err != nil {
		return "", err
	}
	head, err := header.Read(br, max)
	switch {
	case err == header.ErrTooLarge && !strings.Contains(head, "\n"): // the target alone takes it all
		return "", &requestError{http.StatusRequestURITooLong, fmt.Errorf("the request's line has more than %d bytes (max_header)", max)}
	case err == header.ErrTooLarge:
		return "", &requestError{http.StatusRequestHeaderFieldsTooLarge, fmt.Errorf("the request's header has more than %d bytes (max_header)", max)}
	case err != nil:
		return "", fmt.Errorf("within a header: %w", err)
	}
	return head, nil
}

// skipEmpty skips up to two empty lines. A CR alone is no line.
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

// parse parses a head into r, and reuses r.Head and r.URL. On failure r has the parts
// that it understood.
func parse(head string, r *message.Request) error {
	first, fields := header.CutLine(head)
	r.Head.Start = first
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
	if err := setTarget(r.URL, r.Method, r.RequestURI); err != nil {
		return malformed("the target: %w", err)
	}
	if err := r.Head.ParseFields(fields); err != nil {
		r.Head.Reset()
		return malformed("%w", err)
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

// setHost sets the request's host. The host of an absolute target takes precedence over
// the field (RFC 9112, section 3.2.2).
func setHost(r *message.Request) error {
	count, host := r.Head.Count(header.Host), r.Head.Get(header.Host)
	switch {
	case count > 1:
		return malformed("%d Host fields", count)
	case count == 0 && r.ProtoMinor > 0 && r.Method != http.MethodConnect:
		return malformed("no Host field")
	case !httpguts.ValidHostHeader(host):
		return malformed("the host %.100q", host)
	}
	r.Host = cmp.Or(r.URL.Host, host)
	return nil
}

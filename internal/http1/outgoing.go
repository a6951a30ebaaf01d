package http1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Buffered is a request body of which all may be in memory. A request with one
// that is, and small, is written at once and without a goroutine.
type Buffered interface {
	io.ReadCloser

	// Buffered returns the unread rest of the body, which must not change until
	// the body is closed; ok is false when that is not all of it, or not known
	// to be.
	Buffered() (rest []byte, ok bool)
}

// NewBody returns a body that consists of b.
func NewBody(b []byte) Buffered { return &memory{*bytes.NewReader(b), b} }

type memory struct {
	bytes.Reader
	all []byte
}

func (m *memory) Buffered() ([]byte, bool) { return m.all[len(m.all)-m.Len():], true }
func (m *memory) Close() error             { return nil }

const (
	// inlineBody is the largest body that is written before the response is
	// read. The buffers of the two sockets hold it even if the upstream writes
	// all of its answer before it reads.
	inlineBody = 64 << 10

	// joinedBody is the largest one that is copied behind the header.
	joinedBody = 4 << 10
)

// outgoing is a request as it goes on the wire.
type outgoing struct {
	r       *http.Request
	body    io.ReadCloser // nil = none
	inline  []byte        // all of the body; nil when it streams
	length  int64         // of the body; -1 = chunked
	expect  bool          // the upstream is asked before the body is sent
	close   bool          // this side asks for the connection to be closed
	upgrade bool
	taken   bool // the body is closed, or another's to close
}

// newOutgoing decides how a request is framed, and refuses what would not reach
// the upstream as it is meant.
func newOutgoing(r *http.Request) (outgoing, error) {
	o := outgoing{r: r, length: r.ContentLength}
	if r.Body != nil && r.Body != http.NoBody {
		o.body = r.Body
	}
	if err := checkRequest(r); err != nil {
		return o, err
	}
	connection := r.Header["Connection"]
	o.close = r.Close || httpguts.HeaderValuesContainsToken(connection, "close")
	o.upgrade = len(r.Header["Upgrade"]) > 0 && httpguts.HeaderValuesContainsToken(connection, "upgrade")
	if o.body == nil {
		if r.ContentLength > 0 {
			return o, fmt.Errorf("a content length of %d and no body", r.ContentLength)
		}
		o.length = 0
		return o, nil
	}
	err := o.frame()
	o.expect = o.length != 0 && httpguts.HeaderValuesContainsToken(r.Header["Expect"], "100-continue")
	return o, err
}

// frame finds the body's length, and whether it is small and in memory.
func (o *outgoing) frame() error {
	chunked := len(o.r.Trailer) > 0 || slices.Contains(o.r.TransferEncoding, "chunked")
	if chunked || o.length == 0 { // 0 beside a body means unknown
		o.length = -1
	}
	b, ok := o.body.(Buffered)
	if !ok {
		return nil
	}
	rest, ok := b.Buffered()
	if !ok || chunked {
		return nil
	}
	n := int64(len(rest))
	if o.length >= 0 && o.length != n {
		return fmt.Errorf("a content length of %d and a body of %d bytes", o.length, n)
	}
	o.length = n
	if n <= inlineBody {
		o.inline = rest
	}
	return nil
}

// streams reports whether the body needs a goroutine.
func (o *outgoing) streams() bool { return o.body != nil && o.inline == nil && o.length != 0 }

func (o *outgoing) closeBody() {
	if o.body != nil && !o.taken {
		o.taken = true
		o.body.Close()
	}
}

// checkRequest finds what http.Transport would refuse, and what it would send
// as something else.
func checkRequest(r *http.Request) error {
	switch {
	case r.URL == nil:
		return errors.New("no URL")
	case r.Method == http.MethodConnect:
		return errors.New("the method CONNECT is not supported")
	case r.Method != "" && !httpguts.ValidHeaderFieldName(r.Method):
		return fmt.Errorf("method %q", r.Method)
	case !httpguts.ValidHostHeader(hostOf(r)):
		return fmt.Errorf("host %q", hostOf(r))
	}
	if err := checkHeader(r.Header); err != nil {
		return err
	}
	for k := range r.Trailer {
		switch http.CanonicalHeaderKey(k) {
		case "Transfer-Encoding", "Trailer", "Content-Length":
			return fmt.Errorf("trailer %q", k)
		}
	}
	return checkHeader(r.Trailer)
}

// checkHeader does not tell the value, which may be a secret.
func checkHeader(h http.Header) error {
	for k, values := range h {
		if !httpguts.ValidHeaderFieldName(k) {
			return fmt.Errorf("header field name %q", k)
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return fmt.Errorf("value of the header field %q", k)
			}
		}
	}
	return nil
}

// hostOf returns the Host field's value: without an IPv6 zone, which is not for
// others (RFC 6874, section 4).
func hostOf(r *http.Request) string {
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	if !strings.HasPrefix(host, "[") {
		return host
	}
	end := strings.LastIndexByte(host, ']')
	if end < 0 {
		return host
	}
	if zone := strings.LastIndexByte(host[:end], '%'); zone >= 0 {
		return host[:zone] + host[end:]
	}
	return host
}

// writtenApart reports whether a field is not taken from the header, but from what is
// known of the request.
func writtenApart(name string) bool {
	switch name {
	case "Content-Length", "Host", "Trailer", "Transfer-Encoding", "User-Agent":
		return true
	}
	return false
}

// writeHead writes the request line and the header.
func (o *outgoing) writeHead(w *bytes.Buffer) error {
	r := o.r
	target := requestTarget(r.URL)
	for i := range len(target) {
		if b := target[i]; b <= ' ' || b == 0x7f {
			return fmt.Errorf("byte %#x in the request target", b)
		}
	}
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	line(w, method, " ", target, " HTTP/1.1\r\nHost: ", hostOf(r))
	if agent := strings.TrimSpace(r.Header.Get("User-Agent")); agent != "" {
		line(w, "User-Agent: ", agent)
	}
	if r.Close && !httpguts.HeaderValuesContainsToken(r.Header["Connection"], "close") {
		line(w, "Connection: close")
	}
	switch {
	case o.length < 0:
		line(w, "Transfer-Encoding: chunked")
	case o.length > 0 || method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch:
		w.WriteString("Content-Length: ")
		w.Write(strconv.AppendInt(w.AvailableBuffer(), o.length, 10))
		line(w)
	}
	if o.length < 0 && len(r.Trailer) > 0 {
		line(w, "Trailer: ", strings.Join(slices.Sorted(maps.Keys(r.Trailer)), ","))
	}
	o.writeFields(w)
	line(w)
	return nil
}

// requestTarget is RequestURI, but keeps a path as it was spelled. net/url spells
// one anew that has a byte in it which should have been encoded, with all encoded
// slashes decoded.
func requestTarget(u *url.URL) string {
	if !SpelledOddly(u) {
		return u.RequestURI()
	}
	if u.ForceQuery || u.RawQuery != "" {
		return u.RawPath + "?" + u.RawQuery
	}
	return u.RawPath
}

// SpelledOddly reports whether the path's own spelling is one that RequestURI does
// not keep.
func SpelledOddly(u *url.URL) bool {
	if u.RawPath == "" || u.Opaque != "" || u.EscapedPath() == u.RawPath {
		return false
	}
	path, err := url.PathUnescape(u.RawPath)
	return err == nil && path == u.Path
}

// writeFields writes the header, which checkHeader has passed. Fields of
// different names may come in any order (RFC 9110, section 5.3).
func (o *outgoing) writeFields(w *bytes.Buffer) {
	for name, values := range o.r.Header {
		if writtenApart(name) {
			continue
		}
		for _, v := range values {
			line(w, name, ": ", textproto.TrimString(v))
		}
	}
}

func line(w *bytes.Buffer, parts ...string) {
	for _, p := range parts {
		w.WriteString(p)
	}
	w.WriteString("\r\n")
}

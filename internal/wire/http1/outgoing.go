package http1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/goodgate/goodgate/internal/wire/header"
)

// Buffered is a request body that may be completely in memory. A small request with such
// a body is written at once and without a goroutine.
type Buffered interface {
	io.ReadCloser

	// Buffered returns the unread rest of the body, which must not change until the body
	// is closed. ok is false if the rest is incomplete, or not known to be complete.
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
	// inlineBody is the size, in bytes, up to which a body is written before the response
	// is read. The buffers of the two sockets hold it even if the upstream writes all of
	// its answer before it reads.
	inlineBody = 64 << 10

	// joinedBody is the size, in bytes, up to which a body is copied behind the header.
	joinedBody = 4 << 10
)

// outgoing is a request and the decisions about sending it.
type outgoing struct {
	*Request
	length  int64  // length of the body; -1 = chunked
	inline  []byte // the whole body; nil if it streams
	hosted  bool   // the fields include a Host
	expect  bool   // wait for 100 (Continue) before sending the body
	closes  bool   // the fields ask the upstream to close the connection
	upgrade bool
	taken   bool // the body is closed, or another goroutine closes it
}

// newOutgoing decides how to send a request. It refuses one that would not reach the
// upstream as intended.
func newOutgoing(r *Request) (outgoing, error) {
	o := outgoing{Request: r}
	if err := r.check(); err != nil {
		return o, err
	}
	if err := o.scan(); err != nil {
		return o, err
	}
	if r.Body == nil {
		o.expect = false
		return o, nil
	}
	o.length = r.ContentLength
	if len(r.Trailer) > 0 {
		o.length = -1
	}
	o.expect = o.expect && o.length != 0
	return o, o.join()
}

// scan evaluates the fields.
func (o *outgoing) scan() error {
	var upgrades, named bool
	var err error
	o.fields(func(name, value string, id header.Name) bool {
		switch id {
		case header.Host:
			o.hosted = true
		case header.Connection:
			o.closes = o.closes || header.ListHas(value, "close")
			named = named || header.ListHas(value, "upgrade")
		case header.Upgrade:
			upgrades = true
		case header.Expect:
			o.expect = o.expect || header.ListHas(value, "100-continue")
		}
		err = checkField(name, value)
		return err == nil
	})
	o.upgrade = upgrades && named
	return err
}

// join finds out whether a body of known length is small and in memory.
func (o *outgoing) join() error {
	b, ok := o.Body.(Buffered)
	if !ok || o.length < 0 {
		return nil
	}
	rest, ok := b.Buffered()
	switch {
	case !ok:
	case int64(len(rest)) != o.length:
		return fmt.Errorf("a content length of %d and a body of %d bytes", o.length, len(rest))
	case len(rest) <= inlineBody:
		o.inline = rest
	}
	return nil
}

// streams reports whether the body needs a goroutine.
func (o *outgoing) streams() bool { return o.Body != nil && o.inline == nil && o.length != 0 }

// small reports whether one write that does not wait sends the whole request.
func (o *outgoing) small() bool {
	return !o.expect && !o.streams() && len(o.inline) <= joinedBody
}

func (o *outgoing) closeBody() {
	if o.Body != nil && !o.taken {
		o.taken = true
		o.Body.Close()
	}
}

// fields calls f with each field until f returns false.
func (r *Request) fields(f func(name, value string, id header.Name) bool) {
	if r.Head == nil {
		return
	}
	for i := range r.Head.Fields {
		if h := &r.Head.Fields[i]; !f(h.Name, h.Value, h.ID) {
			return
		}
	}
}

// check refuses requests that http.Transport would refuse or send with another meaning.
// checkField checks the fields.
func (r *Request) check() error {
	switch {
	case r.Method == http.MethodConnect:
		return errors.New("the method CONNECT is not supported")
	case r.Method != "" && !httpguts.ValidHeaderFieldName(r.Method):
		return fmt.Errorf("method %q", r.Method)
	case r.Target == "":
		return errors.New("no request target")
	case !httpguts.ValidHostHeader(r.Host):
		return fmt.Errorf("host %q", r.Host)
	case r.Body == nil && r.ContentLength > 0:
		return fmt.Errorf("a content length of %d and no body", r.ContentLength)
	}
	for i := range len(r.Target) {
		if b := r.Target[i]; b <= ' ' || b == 0x7f {
			return fmt.Errorf("byte %#x in the request target", b)
		}
	}
	for k := range r.Trailer {
		switch http.CanonicalHeaderKey(k) {
		case "Transfer-Encoding", "Trailer", "Content-Length":
			return fmt.Errorf("trailer %q", k)
		}
	}
	return checkTrailer(r.Trailer)
}

// checkField does not name the value, which may be a secret.
func checkField(name, value string) error {
	if !httpguts.ValidHeaderFieldName(name) {
		return fmt.Errorf("header field name %q", name)
	}
	if !httpguts.ValidHeaderFieldValue(value) {
		return fmt.Errorf("value of the header field %q", name)
	}
	return nil
}

func checkTrailer(h http.Header) error {
	for name, values := range h {
		if err := checkField(name, ""); err != nil {
			return err
		}
		for _, v := range values {
			if err := checkField(name, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// hostValue returns the value of a Host field. It removes an IPv6 zone, which is local to
// this machine (RFC 6874, section 4).
func hostValue(host string) string {
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

// appendHead appends the request line and the header of a request that has passed check.
func (o *outgoing) appendHead(b []byte) []byte {
	method := o.Method
	if method == "" {
		method = http.MethodGet
	}
	b = append(b, method...)
	b = append(b, ' ')
	b = append(b, o.Target...)
	b = append(b, " HTTP/1.1\r\n"...)
	host, hosted, sized := hostValue(o.Host), false, false
	if !o.hosted {
		b = header.AppendField(b, "Host", host)
	}
	o.fields(func(name, value string, id header.Name) bool {
		switch id {
		case header.TransferEncoding, header.Trailer:
		case header.Host:
			if !hosted {
				b = header.AppendField(b, name, host)
			}
			hosted = true
		case header.ContentLength:
			if !sized && o.length >= 0 {
				b = appendLength(b, name, o.length)
			}
			sized = true
		default:
			b = header.AppendField(b, name, value)
		}
		return true
	})
	switch {
	case o.length < 0:
		b = header.AppendField(b, "Transfer-Encoding", "chunked")
		if len(o.Trailer) > 0 {
			b = header.AppendField(b, "Trailer", strings.Join(slices.Sorted(maps.Keys(o.Trailer)), ","))
		}
	case !sized && (o.length > 0 || method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch):
		b = appendLength(b, "Content-Length", o.length)
	}
	if o.Close && !o.closes {
		b = header.AppendField(b, "Connection", "close")
	}
	return append(b, "\r\n"...)
}

func appendLength(b []byte, name string, n int64) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = strconv.AppendInt(b, n, 10)
	return append(b, "\r\n"...)
}

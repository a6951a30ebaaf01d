package http1

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// compareHead compares our header of a request with the one that the standard library
// writes for the same request.
func compareHead(t *testing.T, one, two *http.Request, change func(*http.Request)) {
	t.Helper()
	for _, r := range []*http.Request{one, two} {
		r.Header.Set("User-Agent", "test")
		change(r)
	}
	got, err := headOf(one)
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := two.Write(&want); err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(want.String(), "\r\n\r\n")
	if got, want := inOrder(got), inOrder(head+"\r\n\r\n"); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// headOf returns the header of a request of net/http.
func headOf(r *http.Request) (string, error) {
	q, err := new(Call).requestOf(r)
	if err != nil {
		return "", err
	}
	return headSent(&q)
}

func headSent(r *Request) (string, error) {
	o, err := newOutgoing(r)
	if err != nil {
		return "", err
	}
	return string(o.appendHead(nil)), nil
}

// inOrder returns a header's lines with the fields in the order of their names.
func inOrder(head string) []string {
	lines := strings.SplitAfter(head, "\r\n")
	fields := lines[1:max(1, len(lines)-2)] // the last two are the empty line and what follows it
	slices.SortStableFunc(fields, func(a, b string) int {
		a, _, _ = strings.Cut(a, ":")
		b, _, _ = strings.Cut(b, ":")
		return strings.Compare(a, b)
	})
	return lines
}

// TestWritesLikeStandardRequest compares the header with that of
// http.Request.Write.
func TestWritesLikeStandardRequest(t *testing.T) {
	t.Parallel()
	f := func(name, method string, change func(*http.Request)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compareHead(t, request(t, method, ""), request(t, method, ""), change)
		})
	}
	body := func(n int64) func(*http.Request) {
		return func(r *http.Request) { r.Body, r.ContentLength = streaming("hello"), n }
	}
	nothing := func(*http.Request) {}
	f("GET", "GET", nothing)
	f("no method", "", nothing)
	f("POST without a body", "POST", nothing)
	f("DELETE without a body", "DELETE", nothing)
	f("length", "POST", body(5))
	f("unknown length", "POST", body(-1))
	f("GET with a body", "GET", body(5))
	f("close", "GET", func(r *http.Request) { r.Close = true })
	f("close twice", "GET", func(r *http.Request) {
		r.Close = true
		r.Header.Set("Connection", "Close")
	})
	f("host", "GET", func(r *http.Request) { r.Host = "other.example:8080" })
	f("host with a zone", "GET", func(r *http.Request) { r.Host = "[fe80::1%eth0]:8080" })
	f("no path", "GET", func(r *http.Request) { r.URL = &url.URL{Scheme: "http", Host: "a"} })
	f("escaped path", "GET", func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/a/b", "/a%2fb" })
	f("raw query", "GET", func(r *http.Request) { r.URL.RawQuery = "a=%zz&b;c" })
	f("asterisk", "OPTIONS", func(r *http.Request) { r.URL.Opaque = "*" })
	f("no agent", "GET", func(r *http.Request) { r.Header.Set("User-Agent", "") })
	f("trailer", "POST", func(r *http.Request) {
		body(-1)(r)
		r.Trailer = http.Header{"X-B": nil, "X-A": nil}
	})
	f("fields that are not taken from the header", "POST", func(r *http.Request) {
		body(5)(r)
		for _, k := range []string{"Host", "Content-Length", "Transfer-Encoding", "Trailer"} {
			r.Header.Set(k, "7")
		}
		r.Header["X-A"] = []string{"2", "1", ""}
		r.Header["x-lower"] = []string{" trimmed\t"}
		r.Header.Set("Te", "trailers")
	})
}

func TestUnwritableRequestsAreErrors(t *testing.T) {
	t.Parallel()
	f := func(name string, change func(*http.Request)) {
		t.Helper()
		r := request(t, "POST", "")
		change(r)
		if _, err := headOf(r); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	f("method", func(r *http.Request) { r.Method = "A B" })
	f("CONNECT", func(r *http.Request) { r.Method = "CONNECT" })
	f("host", func(r *http.Request) { r.Host = "a\r\nX: y" })
	f("target", func(r *http.Request) { r.URL.RawQuery = "a b" })
	f("target with a line", func(r *http.Request) { r.URL.Opaque = "/\r\nX: y" })
	f("field name", func(r *http.Request) { r.Header["X:"] = []string{"y"} })
	f("field value", func(r *http.Request) { r.Header["X"] = []string{"y\r\nZ: 1"} })
	f("trailer name", func(r *http.Request) { r.Trailer = http.Header{"Content-Length": nil} })
	f("length without a body", func(r *http.Request) { r.ContentLength = 5 })
	f("length that is not the body's", func(r *http.Request) { r.Body, r.ContentLength = NewBody([]byte("hello")), 6 })
}

func TestNewBody(t *testing.T) {
	t.Parallel()
	b := NewBody([]byte("hello"))
	io.ReadFull(b, make([]byte, 2))
	if rest, ok := b.Buffered(); string(rest) != "llo" || !ok {
		t.Errorf("got %q, %t", rest, ok)
	}
	if rest, err := io.ReadAll(b); string(rest) != "llo" || err != nil || b.Close() != nil {
		t.Errorf("got %q, %v", rest, err)
	}
}

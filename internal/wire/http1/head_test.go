package http1

import (
	"bufio"
	"net/http"
	"net/textproto"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/wire/header"
)

// Accepted headers mean the same to net/http, and few headers that net/http accepts are
// refused.
func TestHeadsLikeStandard(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]bool{
		"":                      true,
		"Content-Length: 2\r\n": true,
		"Content-Length: 2\r\nX-A: 1\r\nX-A: 2\r\n":               true,
		"Content-Length: 2\r\ncontent-length: 2\r\nX-A: 1\r\n":    true,
		"X-A: 1\r\nTransfer-Encoding: chunked\r\nX-A: 2\r\n":      true,
		"Transfer-Encoding: Chunked\r\n":                          true,
		"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n":     true,
		"Transfer-Encoding: chunked\r\nTrailer: X-Sum, x-b,,\r\n": true,
		"Transfer-Encoding: chunked\r\nTrailer: ,\r\n":            true,
		"Trailer: X-Sum\r\n":                                      true,
		"Trailer: Content-Length\r\n":                             true,
		"Connection: close\r\n":                                   true,
		"Connection: keep-alive, CLOSE\r\n":                       true,
		"Pragma: no-cache\r\nCache-Control: x\r\n":                true,
		"Pragma: no-cache\r\n":                                    true,
		"X-A: b\nX-B: c\n":                                        true,
		"X-A: 1\r\n 2\r\n":                                        true,
		"X-A: 1 \t\r\n\t 2\r\n  3 \r\nX-B: 4\r\n":                 true,
		"X-A:\r\n 2\r\n":                                          true,
		"X-A: 1\r\n \r\nX-B: 2\r\n":                               true,
		"X-A: 1\r\n X-B: 2\r\n":                                   true,

		"Content-Length: 2\r\nContent-Length: 3\r\n":            false,
		"Content-Length: 2, 2\r\n":                              false,
		"Content-Length: +2\r\n":                                false,
		"Content-Length: \r\n":                                  false,
		"Content-Length: 1\r\n 2\r\n":                           false,
		"Content-Length: 9223372036854775808\r\n":               false,
		"Transfer-Encoding: chunked\r\nContent-Length: x\r\n":   false,
		"Transfer-Encoding: chun\u212aed\r\n":                   false,
		"Transfer-Encoding: gzip, chunked\r\n":                  false,
		"Transfer-Encoding: chunked\r\n , chunked\r\n":          false,
		"Transfer-Encoding: \r\n":                               false,
		"Transfer-Encoding: identity\r\n":                       false,
		"Transfer-Encoding: chunked\r\nTrailer: Trailer\r\n":    false,
		"Transfer-Encoding: chunked\r\nTrailer: a, TRAILER\r\n": false,
		" X-A: 1\r\n":         false,
		" \r\nX-A: 1\r\n":     false,
		"\t\r\n":              false,
		"X-A : 1\r\n":         false,
		"X-A\r\n : 1\r\n":     false,
		"X-A: \x00\r\n":       false,
		"X-A: 1\r\n \x00\r\n": false,
		"X-A: 1\r2\r\n":       false,
		": 1\r\n":             false,
		"no colon\r\n":        false,
	} {
		compareHeads(t, "HTTP/1.1 200 OK\r\n"+fields+"\r\nrest", want)
		if !strings.Contains(fields, "ncoding") {
			compareHeads(t, "HTTP/1.0 200 OK\r\n"+fields+"\r\nrest", want)
		}
	}
	for status, want := range map[string]bool{
		"HTTP/1.1 200": true, "HTTP/1.1 200 ": true, "HTTP/1.1 103 Early Hints": true, "HTTP/1.1 999 \x00\xff": true, "HTTP/1.0 200 OK": true,
		"HTTP/1.1  200 OK": true, "HTTP/1.1 200  OK ": true, "HTTP/1.7 200 OK": true,
		"HTTP/1.1 099 OK": false, "HTTP/1.1 +20 OK": false, "HTTP/1.1 -20 OK": false, "HTTP/1.1 2000": false, "HTTP/1.1 200\tOK": false,
		"HTTP/1.1": false, "HTTP/1.1 20": false, "HTTP/2.0 200 OK": false, "http/1.1 200 OK": false, "": false,
		"HTTP/1.1 200\r": false, "HTTP/1.10 200 OK": false, "HTTP/1. 200 OK": false, "HTTP/1./ 200 OK": false, "HTTP/1.: 200 OK": false,
	} {
		compareHeads(t, status+"\r\nX-A: b\r\n\r\n", want)
	}
}

// compareHeads checks that an accepted header means the same to http.ReadResponse, which
// ends it at the same byte. http.ReadResponse must refuse a refused one too, except where
// it is too lenient.
func compareHeads(t *testing.T, sent string, taken bool) {
	t.Helper()
	end := header.End([]byte(sent), 0)
	if end < 0 {
		return
	}
	std := bufio.NewReaderSize(strings.NewReader(sent), max(16, len(sent)))
	// The method makes net/http ignore the body, and so the fields that frame it.
	want, refused := http.ReadResponse(std, &http.Request{Method: http.MethodHead})
	got, err := readStandard(sent[:end])
	if (err == nil) != taken {
		t.Errorf("%q: taken %t, want %t: %v", sent, err == nil, taken, err)
	}
	switch {
	case err != nil && refused == nil && !tooLenient(want):
		t.Errorf("%q: net/http does not refuse it: %v", sent, err)
	case err == nil && refused != nil:
		t.Errorf("%q: net/http refuses it: %v", sent, refused)
	case err == nil:
		sameHead(t, sent, got, want)
		if left := len(sent) - end; left != std.Buffered() {
			t.Errorf("%q: %d bytes are left, by net/http %d", sent, left, std.Buffered())
		}
	}
}

func readStandard(block string) (*http.Response, error) {
	var x Call
	x.res.Head = x.emptyHead()
	var err error
	x.chunked, err = readBlock(block, &x.res)
	return x.http(nil), err
}

// tooLenient reports whether net/http accepts a header that a proxy must not relay.
func tooLenient(res *http.Response) bool {
	for name := range res.Header {
		if strings.Contains(name, " ") {
			return true // two readers could see different lengths
		}
	}
	return res.ProtoMajor != 1 || res.StatusCode < 100 || res.ProtoMinor == 0
}

func sameHead(t *testing.T, sent string, got, want *http.Response) {
	t.Helper()
	if want.ProtoMinor == 0 && len(got.TransferEncoding) > 0 {
		return // net/http drops it
	}
	if want.ProtoMinor > 0 && want.Close {
		delete(got.Header, "Connection") // net/http removes it
	}
	if got.Header["Cache-Control"] == nil && len(got.Header["Pragma"]) > 0 {
		delete(want.Header, "Cache-Control") // net/http makes one of Pragma
	}
	for name, values := range want.Header {
		for i := range values {
			values[i] = textproto.TrimString(values[i]) // net/http keeps spaces in an otherwise empty line
		}
		if !slices.Equal(got.Header[name], values) {
			t.Errorf("%q: %s is %q, for net/http %q", sent, name, got.Header[name], values)
		}
	}
	want.Request, want.Body = nil, nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q: got\n%#v, net/http\n%#v", sent, got, want)
	}
}

// FuzzHead compares arbitrary headers.
func FuzzHead(f *testing.F) {
	for _, s := range scripts {
		if len(s.send) < 1<<10 {
			f.Add([]byte(s.send))
		}
	}
	f.Add([]byte("HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\n\r\n"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		if end := header.End(sent, 0); end >= 0 {
			_, err := readStandard(string(sent[:end]))
			compareHeads(t, string(sent), err == nil)
		}
	})
}

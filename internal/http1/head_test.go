package http1

import (
	"bufio"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/header"
)

// What is common is read without net/http, what is odd is left to it.
func TestParsePlain(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]bool{
		"":                      true,
		"Content-Length: 2\r\n": true,
		"Content-Length: 2\r\nX-A: 1\r\nX-A: 2\r\n": true,
		"Transfer-Encoding: chunked\r\n":            true,
		"Connection: close\r\n":                     true,
		"Connection: keep-alive, CLOSE\r\n":         true,
		"Pragma: no-cache\r\nCache-Control: x\r\n":  true,
		"X-A: b\nX-B: c\n":                          true,

		"Pragma: no-cache\r\n":                                false,
		"Content-Length: 2\r\nContent-Length: 2\r\n":          false,
		"Content-Length: +2\r\n":                              false,
		"Content-Length: \r\n":                                false,
		"Content-Length: 9223372036854775808\r\n":             false,
		"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n": false,
		"Transfer-Encoding: Chunked\r\n":                      false,
		"Transfer-Encoding: chun\u212aed\r\n":                 false,
		"Transfer-Encoding: gzip, chunked\r\n":                false,
		"Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n":    false,
		"X-A: 1\r\n 2\r\n":                                    false,
		"X-A : 1\r\n":                                         false,
		"X-A: \x00\r\n":                                       false,
		"no colon\r\n":                                        false,
	} {
		compareHeads(t, "HTTP/1.1 200 OK\r\n"+fields+"\r\nrest", want)
	}
	for status, want := range map[string]bool{
		"HTTP/1.1 200": true, "HTTP/1.1 200 ": true, "HTTP/1.1 103 Early Hints": true, "HTTP/1.1 999 \x00\xff": true,
		"HTTP/1.0 200 OK": false, "HTTP/1.1 099 OK": false, "HTTP/1.1 +20 OK": false, "HTTP/1.1 -20 OK": false, "HTTP/1.1 2000": false,
		"HTTP/1.1  200 OK": false, "HTTP/1.1": false, "HTTP/1.1 20": false, "HTTP/2.0 200 OK": false, "http/1.1 200 OK": false, "": false,
		"HTTP/1.1 200\r": false,
	} {
		compareHeads(t, status+"\r\nX-A: b\r\n\r\n", want)
	}
}

// compareHeads checks that a header which is taken means what it does to
// http.ReadResponse, which ends it at the same byte.
func compareHeads(t *testing.T, sent string, taken bool) {
	t.Helper()
	end := header.End([]byte(sent), 0)
	if end < 0 {
		return
	}
	got := parsePlain(sent[:end])
	if (got != nil) != taken {
		t.Errorf("%q: taken %t, want %t", sent, got != nil, taken)
	}
	if got == nil {
		return
	}
	std := bufio.NewReaderSize(strings.NewReader(sent), max(16, len(sent)))
	want, err := http.ReadResponse(std, asHead)
	if err != nil {
		t.Fatalf("%q is refused by net/http: %v", sent, err)
	}
	if want.Close {
		delete(got.Header, "Connection") // which net/http removes
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q: got\n%#v, net/http\n%#v", sent, got, want)
	}
	if left := len(sent) - end; left != std.Buffered() {
		t.Errorf("%q: %d bytes are left, by net/http %d", sent, left, std.Buffered())
	}
}

// FuzzParsePlain: whatever is taken means to net/http what it means here.
func FuzzParsePlain(f *testing.F) {
	for _, s := range scripts {
		if len(s.send) < 1<<10 {
			f.Add([]byte(s.send))
		}
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		if end := header.End(sent, 0); end >= 0 {
			compareHeads(t, string(sent), parsePlain(string(sent[:end])) != nil)
		}
	})
}

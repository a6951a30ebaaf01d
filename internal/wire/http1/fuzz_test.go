package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"regexp"
	"testing"

	"github.com/goodgate/goodgate/internal/lab/memnet"
)

// FuzzResponse serves arbitrary bytes and closes. RoundTrip must return, fail only with
// an [*Error], and keep the connection only if the bytes are exactly one plain response.
func FuzzResponse(f *testing.F) {
	for _, s := range scripts {
		if len(s.send) < 1<<10 {
			f.Add([]byte(s.send), s.method == "HEAD")
		}
	}
	f.Add([]byte("HTTP/1.0 100 Continue\r\n\r\n"+okResponse), false)
	f.Add([]byte("HTTP/1.1 200 OK\r\n \r\n\r\n"), true)
	f.Fuzz(func(t *testing.T, send []byte, head bool) {
		if len(send) > 32<<10 {
			return // more than a connection in memory holds
		}
		dial, stop := memServer(t, func(c *memnet.Conn) {
			http.ReadRequest(bufio.NewReader(c))
			c.Write(send)
		})
		defer stop()
		tr := New(Options{Dial: dial, MaxIdle: 1, MaxHeader: maxHeader})
		defer tr.Close()
		r := request(t, "GET", "")
		if head {
			r.Method = "HEAD"
		}
		var body []byte
		res, err := tr.RoundTrip(r, nil)
		if err == nil {
			body, err = io.ReadAll(res.Body)
			res.Body.Close()
		}
		if _, ok := errors.AsType[*Error](err); err != nil && !ok {
			t.Errorf("got a %T, %v; want an *Error", err, err)
		}
		if tr.Idle() == 0 || blankBeforeExtension.Match(send) {
			return
		}
		if want, ok := plain(send, r); err != nil || !ok || !bytes.Equal(body, want) {
			t.Errorf("the connection is kept after %q, which gave %q, %v", send, body, err)
		}
	})
}

// blankBeforeExtension matches lines of a chunk that net/http refuses.
var blankBeforeExtension = regexp.MustCompile(`[ \t];`)

// plain reports whether the bytes are one final response, after any informational ones,
// and returns its body.
func plain(b []byte, r *http.Request) ([]byte, bool) {
	br := bufio.NewReader(bytes.NewReader(b))
	for {
		res, err := http.ReadResponse(br, r)
		if err != nil {
			return nil, false
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || res.Close || res.StatusCode == http.StatusSwitchingProtocols {
			return nil, false
		}
		if res.StatusCode >= 200 {
			_, err := br.ReadByte()
			return body, err == io.EOF
		}
	}
}

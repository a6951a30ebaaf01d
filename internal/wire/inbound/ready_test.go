//go:build unix

package inbound

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// pause lets a connection wait for longer than it keeps its goroutine.
func pause(t *testing.T, c net.Conn, br *bufio.Reader) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(2 * settleBody))
	if _, err := br.Peek(1); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %v before the request was complete", err)
	}
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
}

// awaiting is a handler that returns instead of waiting for the body. It answers with
// the received bytes and the error.
func awaiting(w http.ResponseWriter, r *http.Request) {
	var got []byte
	var goOn func(failed error)
	goOn = func(failed error) {
		for failed == nil {
			b, ok := r.Body.(interface{ Coming() int })
			if !ok {
				break
			}
			p := make([]byte, max(b.Coming(), 1))
			var n int
			n, failed = r.Body.Read(p)
			got = append(got, p[:n]...)
			if failed == nil && b.Coming() == 0 && w.(*response).AwaitBody(goOn) {
				return
			}
		}
		if failed == io.EOF {
			failed = nil
		}
		if errors.Is(failed, os.ErrDeadlineExceeded) {
			failed = os.ErrDeadlineExceeded
		}
		text := string(got)
		if failed != nil {
			text += " " + failed.Error()
		}
		io.WriteString(w, text)
	}
	if r.URL.Path == "/soon" {
		http.NewResponseController(w).SetReadDeadline(time.Now().Add(3 * settleBody))
	}
	if r.ContentLength <= 0 || !w.(*response).AwaitBody(goOn) {
		goOn(nil)
	}
}

// TestAwaitBody checks that a handler that returns to wait for a body gets all of it,
// in any parts, and that the next request begins after it.
func TestAwaitBody(t *testing.T) {
	t.Parallel()
	addr := serve(t, Options{Handler: http.HandlerFunc(awaiting)})
	const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n"
	for name, parts := range map[string][]string{
		"at once":          {head + "abcdef"},
		"after the head":   {head, "abcdef"},
		"byte by byte":     {head, "a", "b", "c", "d", "e", "f"},
		"in two heads":     {head[:9], head[9:20], head[20:] + "ab", "cdef"},
		"with the next":    {head + "abc", "def" + get},
		"next in parts":    {head, "abcdef" + get[:7], get[7:]},
		"a byte at a seam": {head + "abcde", "f" + get[:1], get[1:]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, br := dial(t, addr)
			for i, part := range parts {
				if i > 0 && !strings.Contains(parts[i-1], "f") {
					pause(t, c, br)
				}
				say(t, c, part)
			}
			if got, want := hear(t, br), "200 abcdef"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if !strings.Contains(strings.Join(parts, ""), get) {
				say(t, c, get)
			}
			if got, want := hear(t, br), "200 "; got != want {
				t.Errorf("the next request: got %q, want %q", got, want)
			}
		})
	}
	t.Run("too late", func(t *testing.T) {
		t.Parallel()
		c, br := dial(t, addr)
		say(t, c, "POST /soon HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
		if got, want := hear(t, br), "200 abc "+os.ErrDeadlineExceeded.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	t.Run("half", func(t *testing.T) {
		t.Parallel()
		c, br := dial(t, addr)
		say(t, c, head+"abc")
		pause(t, c, br)
		c.CloseWrite()
		if got, want := hear(t, br), "200 abc "+io.ErrUnexpectedEOF.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestAwaitBodyIsCut checks that the end of the server ends a wait for a body.
func TestAwaitBodyIsCut(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	waiting, ended := make(chan bool), make(chan error, 1)
	s := New(Options{Base: t.Context(), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !w.(*response).AwaitBody(func(err error) { ended <- err }) {
			t.Error("cannot wait")
		}
		close(waiting)
	})})
	served := make(chan error)
	go func() { served <- s.Serve(l) }()
	c, br := dial(t, l.Addr())
	say(t, c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n")
	<-waiting
	pause(t, c, br)
	l.Close()
	s.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want %v", err, net.ErrClosed)
	}
	<-served
}

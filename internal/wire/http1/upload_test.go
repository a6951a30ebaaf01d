package http1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/internal/lab/memnet"
)

// seen is a request with a body as a server sees it.
type seen struct {
	length   int64
	encoding int
	body     string
	trailer  string
}

// seer is a server that answers requests and reports them.
func seer(t *testing.T) (addr string, requests chan seen) {
	requests = make(chan seen, 1)
	return serveRaw(t, func(c *net.TCPConn) {
		br := bufio.NewReader(c)
		for {
			r, body, err := readRequest(br)
			if err != nil {
				return
			}
			requests <- seen{r.ContentLength, len(r.TransferEncoding), body, r.Trailer.Get("X-Sum")}
			io.WriteString(c, okResponse)
		}
	}), requests
}

func TestBodiesArriveWhole(t *testing.T) {
	t.Parallel()
	addr, requests := seer(t)
	tr := transport(t, addr)
	var reused int
	f := func(name string, size int, length int64, change ...func(*http.Request)) {
		t.Helper()
		content := strings.Repeat("0123456789abcdef", size/16+1)[:size]
		for _, kind := range []string{"streaming", "in memory"} {
			r := request(t, "POST", "")
			r.Body, r.ContentLength = streaming(content), length
			want := seen{length: length, body: content}
			if kind == "in memory" {
				r.Body = NewBody([]byte(content))
			}
			for _, c := range change {
				c(r)
				want.trailer = r.Trailer.Get("X-Sum")
			}
			if kind == "in memory" && len(change) == 0 {
				want.length = int64(size)
			}
			if want.length < 0 || length == 0 && kind == "streaming" {
				want.length, want.encoding = -1, 1
			}
			var x Call
			res, err := tr.RoundTrip(r, &x)
			if err != nil {
				t.Errorf("%s, %s: %v", name, kind, err)
				continue
			}
			io.Copy(io.Discard, res.Body)
			if got := <-requests; got != want {
				t.Errorf("%s, %s: got length %d, %d encodings, %d bytes, trailer %q; want %d, %d, %d, %q", name, kind,
					got.length, got.encoding, len(got.body), got.trailer, want.length, want.encoding, len(want.body), want.trailer)
			}
			if x.Reused {
				reused++
			}
		}
	}
	f("one byte", 1, 1)
	f("with the header", joinedBody, joinedBody)
	f("beside the header", joinedBody+1, joinedBody+1)
	f("the largest at once", inlineBody, inlineBody)
	f("larger", inlineBody+1, inlineBody+1)
	f("1 MiB", 1<<20, 1<<20)
	f("unknown length", 100_000, -1)
	f("unknown length said otherwise", 1000, 0)
	f("empty", 0, -1)
	f("trailer", 1000, -1, func(r *http.Request) {
		r.Trailer = http.Header{"X-Sum": {"7"}}
	})
	f("chunked although known", 1000, -1, func(r *http.Request) { r.TransferEncoding = []string{"chunked"} })
	if want := 11*2 - 1; reused != want {
		t.Errorf("%d requests reused the connection, want %d", reused, want)
	}
}

// countedBody fails the test if it is read after Close or closed more than once.
type countedBody struct {
	io.Reader
	t      *testing.T
	closed atomic.Int32
}

func (b *countedBody) Read(p []byte) (int, error) {
	if b.closed.Load() > 0 {
		b.t.Error("read after Close")
	}
	return b.Reader.Read(p)
}

func (b *countedBody) Close() error {
	if b.closed.Add(1) > 1 {
		b.t.Error("closed twice")
	}
	if c, ok := b.Reader.(io.Closer); ok {
		c.Close()
	}
	return nil
}

// TestEarlyResponse has the upstream answer and stop reading, or close, while
// the request is far from complete.
func TestEarlyResponse(t *testing.T) {
	t.Parallel()
	const early = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nmuch"
	f := func(name string, size int, end func(*memnet.Conn)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(c *memnet.Conn) {
				http.ReadRequest(bufio.NewReader(c))
				io.WriteString(c, early)
				end(c)
			}, func(t *testing.T, tr *Transport) {
				body := &countedBody{Reader: strings.NewReader(strings.Repeat("x", size)), t: t}
				r := request(t, "POST", "")
				r.Body, r.ContentLength = body, int64(size)
				start := time.Now()
				res, err := tr.RoundTrip(r, nil)
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(res.Body)
				if string(b) != "much" || err != nil || res.StatusCode != 413 {
					t.Errorf("got %d, %q, %v", res.StatusCode, b, err)
				}
				if took := time.Since(start); took != 0 || tr.Idle() != 0 {
					t.Errorf("took %v, %d idle; want 0, 0", took, tr.Idle())
				}
				synctest.Wait()
				if body.closed.Load() != 1 {
					t.Error("the request's body is not closed")
				}
			})
		})
	}
	f("stops reading", 1<<20, func(*memnet.Conn) { time.Sleep(time.Minute) })
	f("closes", 1<<20, func(*memnet.Conn) {})
}

func TestEarlyResponseWhileTheBodyWaits(t *testing.T) {
	t.Parallel()
	inBubble(t, func(c *memnet.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, okResponse)
		io.Copy(io.Discard, c)
	}, func(t *testing.T, tr *Transport) {
		pr, pw := io.Pipe()
		body := &countedBody{Reader: pr, t: t}
		r := request(t, "POST", "")
		r.Body, r.ContentLength = body, -1
		res, err := tr.RoundTrip(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(res.Body); string(b) != "ok" || err != nil || tr.Idle() != 0 {
			t.Errorf("got %q, %v, %d idle", b, err, tr.Idle())
		}
		synctest.Wait()
		if body.closed.Load() != 1 {
			t.Error("the request's body is not closed")
		}
		if _, err := pw.Write([]byte("x")); err != io.ErrClosedPipe {
			t.Errorf("got %v, want that nobody reads", err)
		}
	})
}

// TestBothDirectionsAtOnce has an upstream that returns the bytes that it reads, more
// than all buffers hold.
func TestBothDirectionsAtOnce(t *testing.T) {
	t.Parallel()
	addr := serveRaw(t, func(c *net.TCPConn) {
		br := bufio.NewReader(c)
		r, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
		io.Copy(c, r.Body)
	})
	tr := transport(t, addr)
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<19)
	for _, body := range []io.ReadCloser{streamed{bytes.NewReader(want)}, NewBody(want)} {
		r := request(t, "POST", "")
		r.Body, r.ContentLength = body, int64(len(want))
		res, err := tr.RoundTrip(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(res.Body); !bytes.Equal(got, want) || err != nil {
			t.Errorf("got %d bytes, %v; want %d", len(got), err, len(want))
		}
	}
}

// failing is a reader that fails at its end.
func failing(s string, err error) io.Reader {
	return io.MultiReader(strings.NewReader(s), readerFunc(func([]byte) (int, error) { return 0, err }))
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestRequestBodyFails(t *testing.T) {
	t.Parallel()
	cause := errors.New("the client has gone")
	f := func(name string, body io.Reader, length int64, want error) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(c *memnet.Conn) {
				if _, _, err := readRequest(bufio.NewReader(c)); err == nil {
					t.Error("the upstream took the request for complete")
				}
			}, func(t *testing.T, tr *Transport) {
				r := request(t, "POST", "")
				b := &countedBody{Reader: body, t: t}
				r.Body, r.ContentLength = b, length
				_, err := tr.RoundTrip(r, nil)
				if e, ok := errors.AsType[*Error](err); !ok || e.Kind != RequestBody || !errors.Is(err, want) {
					t.Errorf("got %v, want %v: %v", err, RequestBody, want)
				}
				synctest.Wait()
				if b.closed.Load() != 1 || tr.Idle() != 0 {
					t.Errorf("closed %d times, %d idle", b.closed.Load(), tr.Idle())
				}
			})
		})
	}
	f("known length", failing("hello", cause), 100, cause)
	f("chunked", failing("hello", cause), -1, cause)
	f("at once", failing("", cause), -1, cause)
	f("too short", strings.NewReader("hello"), 100, io.ErrUnexpectedEOF)
}

// TestRequestBodyFailsAfterTheResponseBegan: the response continues, and the upstream
// sees the end of the request.
func TestRequestBodyFailsAfterTheResponseBegan(t *testing.T) {
	t.Parallel()
	inBubble(t, func(c *memnet.Conn) {
		br := bufio.NewReader(c)
		r, _ := http.ReadRequest(br)
		io.WriteString(c, chunkedHead)
		if _, err := io.ReadAll(r.Body); err != io.ErrUnexpectedEOF {
			t.Errorf("the upstream's read ended with %v", err)
		}
		io.WriteString(c, "2\r\nok\r\n0\r\n\r\n")
	}, func(t *testing.T, tr *Transport) {
		pr, pw := io.Pipe()
		r := request(t, "POST", "")
		r.Body, r.ContentLength = pr, -1
		res, err := tr.RoundTrip(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		pw.CloseWithError(errors.New("the client has gone"))
		if b, err := io.ReadAll(res.Body); string(b) != "ok" || err != nil || tr.Idle() != 0 {
			t.Errorf("got %q, %v, %d idle", b, err, tr.Idle())
		}
	})
}

func TestBodyIsAlwaysClosed(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	f := func(name string, tr *Transport, change func(*http.Request)) {
		t.Helper()
		var closed sync.WaitGroup
		closed.Add(1)
		r := request(t, "POST", "")
		r.Body, r.ContentLength = closer(closed.Done), 5
		change(r)
		if _, err := tr.RoundTrip(r, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
		closed.Wait()
	}
	tr := transport(t, serveRaw(t, func(*net.TCPConn) {}))
	f("dial fails", New(Options{Dial: func(context.Context) (net.Conn, error) { return nil, refused }}), func(*http.Request) {})
	f("invalid header", tr, func(r *http.Request) { r.Header["a b"] = []string{"c"} })
	f("invalid target", tr, func(r *http.Request) { r.URL.Opaque = "/a b" })
	f("no URL", tr, func(r *http.Request) { r.URL = nil })
	f("closed at once", tr, func(r *http.Request) {})
	f("closed at once, Expect", tr, func(r *http.Request) { r.Header.Set("Expect", "100-continue") })
}

type closer func()

func (c closer) Read(p []byte) (int, error) { return copy(p, "hello"), nil }
func (c closer) Close() error               { c(); return nil }

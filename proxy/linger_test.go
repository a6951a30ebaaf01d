package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

const refusal = "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 9\r\n\r\ntoo large"

// refuser answers with refusal after a request's header, and closes the connection. The
// unread part of the body makes the kernel reset it.
func refuser(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			http.ReadRequest(bufio.NewReader(c))
			io.WriteString(c, refusal)
			c.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String()
}

// front is a proxy in front of an upstream on real sockets, where resets happen.
func front(t *testing.T, upstream string) string {
	t.Helper()
	pool, err := proxy.NewPool(balancer.Options{Name: "app"}, proxy.PoolOptions{Retry: retries(3)})
	if err != nil {
		t.Fatal(err)
	}
	pool.Update(specs(upstream))
	t.Cleanup(func() { pool.Update(nil) })
	p, err := proxy.New(proxy.Options{Routes: []proxy.Route{{Match: proxy.Match{Path: "/app"}, Pool: pool}}})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// upload sends all size bytes, then reads the answer.
func upload(t *testing.T, addr, path string, size int64, chunked bool) (res *http.Response, body string, sent error) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	framing, w := fmt.Sprintf("Content-Length: %d", size), io.WriteCloser(nopCloser{c})
	if chunked {
		framing, w = "Transfer-Encoding: chunked", trailed{httputil.NewChunkedWriter(c), c}
	}
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n", path, framing)
	if _, sent = io.CopyN(w, zeros{}, size); sent == nil {
		sent = w.Close()
	}
	res, err = http.ReadResponse(bufio.NewReader(c), &http.Request{Method: "POST"})
	if err != nil {
		return nil, "", sent
	}
	defer res.Body.Close()
	all, _ := io.ReadAll(res.Body)
	return res, string(all), sent
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// trailed ends a chunked body.
type trailed struct {
	io.WriteCloser
	conn io.Writer
}

func (w trailed) Close() error {
	if err := w.WriteCloser.Close(); err != nil {
		return err
	}
	_, err := io.WriteString(w.conn, "\r\n")
	return err
}

// A client that sends all of a large body before it reads still gets an early answer,
// both an upstream's and goodgate's own.
func TestEarlyAnswerReachesClient(t *testing.T) {
	t.Parallel()
	addr := front(t, refuser(t))
	f := func(path string, size int64, chunked bool, want int) {
		t.Helper()
		for range 5 {
			res, body, sent := upload(t, addr, path, size, chunked)
			if sent != nil || res == nil || res.StatusCode != want || want == 413 && body != "too large" {
				t.Errorf("%s, %d bytes, chunked %v: sending: %v, answer %+v %q; want status %d", path, size, chunked, sent, res, body, want)
			}
		}
	}
	for _, size := range []int64{1 << 10, 300 << 10, 1 << 20, 4 << 20} {
		f("/app", size, true, http.StatusRequestEntityTooLarge)
		f("/app", size, false, http.StatusRequestEntityTooLarge)
		f("/nowhere", size, true, http.StatusNotFound)
		f("/nowhere", size, false, http.StatusNotFound)
	}
}

// An early answer keeps the client's connection open if the rest of the request has
// arrived. Otherwise it says Connection: close.
func TestEarlyAnswerKeepsTheConnection(t *testing.T) {
	t.Parallel()
	chunked := func(body string) string { return "Transfer-Encoding: chunked\n\n" + body }
	for name, test := range map[string]struct {
		post string
		keep bool
	}{
		"a chunk":              {chunked("5\nhello\n0\n\n"), true},
		"no chunk":             {chunked("0\n\n"), true},
		"many chunks":          {chunked(strings.Repeat("5;a=b\nhello\n", 40) + "0\n\n"), true},
		"a trailer":            {chunked("5\nhello\n0\nX-Sum: 1\n\n"), true},
		"a length":             {"Content-Length: 700\n\n" + strings.Repeat("x", 700), true},
		"a length, incomplete": {"Content-Length: 300000\n\nhello", false},
		"a chunk is missing":   {chunked("5\nhello\n5\n"), false},
		"a trailer is missing": {chunked("5\nhello\n0\nX-Sum"), false},
	} {
		for _, answer := range []string{"204 No Content\n\n", "413 Request Entity Too Large\nContent-Length: 5\n\nlarge", "200 OK\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n"} {
			relayed(t, setup{upstreams: specs("app:80"), pool: proxy.PoolOptions{Retry: proxy.Retry{MaxBody: 64}}}, func(t *testing.T, w *world) {
				w.script("app:80", func(c *wire) {
					for {
						r, err := http.ReadRequest(c.r)
						if err != nil {
							return
						}
						c.say("HTTP/1.1 " + answer)
						io.Copy(io.Discard, r.Body)
					}
				})
				request := "POST / HTTP/1.1\nHost: example.com\n" + test.post
				if !test.keep {
					c := w.dial()
					c.say(request)
					res := c.response(t, nil)
					check(t, name+": told to close", res.Close, true)
					return
				}
				for range 20 {
					c := w.dial()
					c.say(strings.Repeat(request, 4))
					for i := range 4 {
						res, err := http.ReadResponse(c.r, nil)
						if err != nil {
							t.Fatalf("%s: answer %d: %v", name, i, err)
						}
						io.Copy(io.Discard, res.Body)
						if res.Close {
							t.Fatalf("%s: the client was told to close with answer %d", name, i)
						}
					}
					c.Close()
				}
			})
		}
	}
}

// The bytes that a client may send after its answer are bounded.
func TestLingerIsBounded(t *testing.T) {
	t.Parallel()
	_, _, sent := upload(t, front(t, refuser(t)), "/app", 1<<30, false)
	if sent == nil {
		t.Error("the client sent 1 GiB after it was refused; want it to be cut off after 16 MiB")
	}
}

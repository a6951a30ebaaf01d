package proxy

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/lab/memnet"
	"github.com/goodgate/goodgate/internal/wire/inbound"
)

// isZero reports whether all of the memory that p points to is zero.
func isZero[T any](p *T) bool {
	b := unsafe.Slice((*byte)(unsafe.Pointer(p)), unsafe.Sizeof(*p))
	return bytes.Equal(b, make([]byte, len(b)))
}

// TestReusedMemoryIsEmpty: reused memory is empty after any request, and memory that
// something may still refer to is not reused.
func TestReusedMemoryIsEmpty(t *testing.T) {
	t.Parallel()
	n := memnet.New()
	pool, err := NewPool(balancer.Options{Policy: "first"}, PoolOptions{Dial: n.DialContext, Commit: Commit{Buffer: 64 << 10}, Retry: Retry{Attempts: 2}})
	if err != nil {
		t.Fatal(err)
	}
	pool.Update([]balancer.Spec{{Addr: "app:80"}})
	t.Cleanup(func() { pool.Update(nil) })
	p, err := New(Options{Routes: []Route{{Pool: pool}}})
	if err != nil {
		t.Fatal(err)
	}
	app, err := n.Listen("app:80")
	if err != nil {
		t.Fatal(err)
	}
	upstream := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Secret", r.Header.Get("X-Secret"))
		fmt.Fprint(w, strings.Repeat("x", 100))
	})}
	var wg sync.WaitGroup
	wg.Go(func() { upstream.Serve(app) })
	t.Cleanup(func() { upstream.Close(); wg.Wait() })
	for name, request := range map[string]string{
		"GET":            "GET /secret HTTP/1.1\r\nHost: secret\r\nX-Secret: secret\r\n\r\n",
		"HEAD":           "HEAD /secret HTTP/1.1\r\nHost: secret\r\nX-Secret: secret\r\n\r\n",
		"DELETE":         "DELETE /secret HTTP/1.1\r\nHost: secret\r\n\r\n",
		"many fields":    "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X-Secret: secret\r\n", 2*usualFields) + "\r\n",
		"a body":         "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nsecret",
		"by the library": "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
		"refused":        "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			ask(t, n, p, request)
			for range 10 {
				if r, ok := p.rooms.Get().(*room); ok && !isZero(r) {
					t.Error("a room has something of an earlier request")
				}
				x, ok := p.exchanges.Get().(*exchange)
				if !ok {
					continue
				}
				x.interim.pass = nil
				if !isZero(x) {
					t.Error("an exchange has something of an earlier request")
				}
			}
		})
	}
}

// ask sends a request through goodgate's own server, and waits until it has been served.
func ask(t *testing.T, n *memnet.Network, p *Proxy, request string) {
	t.Helper()
	addr := "front" + t.Name() + ":80"
	l, err := n.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	s := inbound.New(inbound.Options{Base: t.Context(), Serve: func(w inbound.ResponseWriter, r *Request) { p.ServeRequest(w, r, Listener{}) }})
	var wg sync.WaitGroup
	wg.Go(func() { s.Serve(l) })
	defer func() { l.Close(); s.Close(); wg.Wait() }()
	c, err := n.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, request)
	var b [4096]byte
	if k, err := net.Conn(c).Read(b[:]); err != nil || !strings.HasPrefix(string(b[:k]), "HTTP/1.1 ") {
		t.Fatalf("got %q, %v", b[:k], err)
	}
	s.Shutdown(t.Context())
}

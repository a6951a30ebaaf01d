package http1

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// tlsTransport returns a transport to a TLS server.
func tlsTransport(t *testing.T, s *httptest.Server) *Transport {
	roots := s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	return transport(t, "", func(o *Options) {
		o.Dial = func(ctx context.Context) (net.Conn, error) {
			d := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: "example.com"}}
			return d.DialContext(ctx, "tcp", s.Listener.Addr().String())
		}
	})
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Write(b)
	}))
	t.Cleanup(s.Close)
	tr := tlsTransport(t, s)
	for i := range 20 {
		body := strings.Repeat("0123456789", 1+i*2000)
		r := request(t, "POST", body)
		if i%2 == 0 {
			r.Body, r.ContentLength = streaming(body), -1
		}
		var x Call
		res, err := tr.RoundTrip(r, &x)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(res.Body); string(b) != body || err != nil {
			t.Errorf("got %d bytes, %v; want %d", len(b), err, len(body))
		}
		if x.Reused != (i > 0) {
			t.Errorf("request %d: reused %t", i, x.Reused)
		}
	}
	s.CloseClientConnections()
	var x Call
	get(t, tr, &x)
	if x.Reused {
		t.Error("a connection that the upstream had closed was used")
	}
}

// TestTLSJunk has the upstream send more than the response in a separate record, which
// TLS may have buffered.
func TestTLSJunk(t *testing.T) {
	t.Parallel()
	sent := make(chan struct{}, 1)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.WriteString(c, okResponse)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\njunk")
		sent <- struct{}{}
		io.Copy(io.Discard, c)
	}))
	t.Cleanup(s.Close)
	tr := tlsTransport(t, s)
	for range 10 {
		var x Call
		if got := get(t, tr, &x); got != "ok" {
			t.Fatalf("got %q, want ok", got)
		}
		<-sent
	}
}

// TestReadUntilOverTLS gives up in the middle of a body and of a TLS record, and
// continues to read.
func TestReadUntilOverTLS(t *testing.T) {
	t.Parallel()
	more := make(chan struct{})
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello ")
		http.NewResponseController(w).Flush()
		<-more
		io.WriteString(w, strings.Repeat("world", 10000))
	}))
	t.Cleanup(s.Close)
	tr := tlsTransport(t, s)
	for range 2 { // the second on the same connection
		res, err := tr.RoundTrip(request(t, "GET", ""), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, p := "", make([]byte, 1000)
		for err == nil {
			var n int
			n, err = res.Body.(Body).ReadUntil(p, time.Now().Add(10*time.Millisecond))
			got += string(p[:n])
		}
		if err != ErrNotYet {
			t.Errorf("got %v, want %v", err, ErrNotYet)
		}
		more <- struct{}{}
		for err == nil || err == ErrNotYet {
			var n int
			n, err = res.Body.(Body).ReadUntil(p, time.Now().Add(5*time.Millisecond))
			got += string(p[:n])
		}
		if want := "hello " + strings.Repeat("world", 10000); got != want || err != io.EOF {
			t.Errorf("got %d bytes, %v; want %d", len(got), err, len(want))
		}
	}
	if tr.Idle() != 1 {
		t.Errorf("%d idle connections, want 1", tr.Idle())
	}
}

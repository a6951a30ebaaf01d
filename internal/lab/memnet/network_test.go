package memnet

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func listen(t testing.TB, n *Network, addr string) net.Listener {
	t.Helper()
	ln, err := n.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// serve runs h on addr until the test ends.
func serve(t testing.TB, n *Network, addr string, h http.Handler) {
	srv := &http.Server{Handler: h}
	ln := listen(t, n, addr)
	done := make(chan error)
	go func() { done <- srv.Serve(ln) }()
	t.Cleanup(func() {
		srv.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: got %v", err)
		}
	})
}

func TestRefused(t *testing.T) {
	t.Parallel()
	n := New()
	f := func(name string) {
		t.Helper()
		_, err := n.DialContext(t.Context(), "tcp", "127.0.0.1:80")
		if _, ok := errors.AsType[*net.OpError](err); !ok || !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: got %v, want an OpError with ECONNREFUSED", name, err)
		}
	}
	f("nobody listens")
	ln := listen(t, n, "127.0.0.1:80")
	queued, err := n.DialContext(t.Context(), "tcp", "127.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	f("closed")
	if _, err := queued.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("never accepted: got %v, want ECONNRESET", err)
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: got %v, want net.ErrClosed", err)
	}
	if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close: got %v, want net.ErrClosed", err)
	}
	listen(t, n, "127.0.0.1:80") // the address is free again
}

func TestBacklogIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New()
		ln := listen(t, n, "127.0.0.1:80")
		for range backlog {
			if _, err := n.DialContext(t.Context(), "tcp", "127.0.0.1:80"); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err := n.DialContext(ctx, "tcp", "127.0.0.1:80")
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("got %v after %v, want a deadline exceeded after 3s", err, time.Since(start))
		}
		if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
			t.Errorf("%v is not a net.Error with Timeout", err)
		}
		dialed := make(chan error)
		go func() { _, err := n.DialContext(t.Context(), "tcp", "127.0.0.1:80"); dialed <- err }()
		ln.Accept()
		if err := <-dialed; err != nil {
			t.Errorf("after an Accept: got %v", err)
		}
		go func() { _, err := n.DialContext(t.Context(), "tcp", "127.0.0.1:80"); dialed <- err }()
		synctest.Wait()
		ln.Close()
		if err := <-dialed; !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("closed while a dial waits: got %v, want ECONNREFUSED", err)
		}
	})
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	f := func(listenOn, network, dial, wantAddr string) {
		t.Helper()
		n := New()
		ln := listen(t, n, listenOn)
		if got := ln.Addr().String(); got != wantAddr {
			t.Errorf("Listen(%q).Addr() = %q, want %q", listenOn, got, wantAddr)
		}
		c, err := n.DialContext(t.Context(), network, dial)
		if err != nil {
			t.Error(err)
			return
		}
		s, _ := ln.Accept()
		if c.LocalAddr().String() != s.RemoteAddr().String() || c.RemoteAddr().String() != s.LocalAddr().String() {
			t.Errorf("the ends disagree: %v -> %v and %v -> %v", c.LocalAddr(), c.RemoteAddr(), s.LocalAddr(), s.RemoteAddr())
		}
		if got := c.RemoteAddr().String(); got != strings.TrimPrefix(dial, "unix:") {
			t.Errorf("dialed %q, remote address is %q", dial, got)
		}
	}
	f("10.0.0.1:80", "tcp", "10.0.0.1:80", "10.0.0.1:80")
	f("[::1]:80", "tcp6", "[::1]:80", "[::1]:80")
	f("app:80", "tcp", "app:80", "app:80")
	f(":80", "tcp", "app:80", ":80")
	f("127.0.0.1:0", "tcp", "127.0.0.1:49153", "127.0.0.1:49153")
	f("unix:/run/app.sock", "unix", "/run/app.sock", "/run/app.sock")

	n := New()
	listen(t, n, "app:80")
	if _, err := n.Listen("app:80"); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("second Listen: got %v, want EADDRINUSE", err)
	}
}

func TestReverseProxyInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := New()
		serve(t, n, "app:80", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(5 * time.Second)
			body, _ := io.ReadAll(r.Body)
			w.Write(body)
		}))
		inner := &http.Transport{DialContext: n.DialContext}
		defer inner.CloseIdleConnections()
		target := &url.URL{Scheme: "http", Host: "app:80"}
		serve(t, n, "gate:80", &httputil.ReverseProxy{
			Transport: inner,
			Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		})
		outer := &http.Transport{DialContext: n.DialContext}
		defer outer.CloseIdleConnections()

		body := strings.Repeat("0123456789", 100_000) // larger than the buffers
		start := time.Now()
		res, err := (&http.Client{Transport: outer}).Post("http://gate:80/", "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if got, err := io.ReadAll(res.Body); string(got) != body || err != nil {
			t.Errorf("got %d bytes, %v; want the %d sent", len(got), err, len(body))
		}
		if got := time.Since(start); got != 5*time.Second {
			t.Errorf("took %v of fake time, want 5s", got)
		}
	})
}

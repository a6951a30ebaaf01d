package health

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// upstreams returns the members of a fresh pool with these addresses.
func upstreams(t testing.TB, addrs ...string) []*balancer.Upstream {
	t.Helper()
	specs := make([]balancer.Spec, len(addrs))
	for i, a := range addrs {
		specs[i] = balancer.Spec{Addr: a}
	}
	return members(t, specs...)
}

func members(t testing.TB, specs ...balancer.Spec) []*balancer.Upstream {
	t.Helper()
	pool, err := balancer.NewPool(balancer.Options{Name: "t", Checked: true})
	if err != nil {
		t.Fatal(err)
	}
	pool.Update(specs)
	us := make([]*balancer.Upstream, 0, len(specs))
	for _, m := range pool.Members() {
		us = append(us, m.Upstream)
	}
	return us
}

// probe makes one probe of addr within timeout.
func probe(t testing.TB, p Prober, addr string, timeout time.Duration) error {
	t.Helper()
	return probeSpec(t, p, balancer.Spec{Addr: addr}, timeout)
}

// probeTLS is probe of an upstream reached by TLS.
func probeTLS(t testing.TB, p Prober, addr string, timeout time.Duration) error {
	t.Helper()
	return probeSpec(t, p, balancer.Spec{Addr: addr, TLS: true}, timeout)
}

func probeSpec(t testing.TB, p Prober, s balancer.Spec, timeout time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), timeout, fmt.Errorf("test limit of %v: %w", timeout, context.DeadlineExceeded))
	defer cancel()
	return p.Probe(ctx, members(t, s)[0])
}

// wantResult checks the result of a probe; text must be in the error.
func wantResult(t *testing.T, err error, want balancer.Probe, text string) {
	t.Helper()
	if got := Result(err); got != want {
		t.Errorf("got result %d (%v), want %d", got, err, want)
	}
	if err != nil && !strings.Contains(err.Error(), text) {
		t.Errorf("got error %q, want it to contain %q", err, text)
	}
}

// listener accepts on addr and hands every connection to serve.
func listener(t testing.TB, network, addr string, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	if network == "unix" {
		return "unix:" + addr
	}
	return l.Addr().String()
}

// silent is a server that accepts and never answers.
func silent(t testing.TB) string {
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	return listener(t, "tcp", "127.0.0.1:0", func(c net.Conn) { <-done; c.Close() })
}

// hangup is a server that accepts, reads the first bytes, and closes.
func hangup(t testing.TB) string {
	return listener(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		c.Read(make([]byte, 4096))
		c.Close()
	})
}

// refused returns an address at which nothing listens.
func refused(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// clientTLS trusts the server's certificate, which is for 127.0.0.1 and example.com.
func clientTLS(s *httptest.Server) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &tls.Config{RootCAs: roots}
}

func TestResult(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		err  error
		want balancer.Probe
	}{
		{nil, balancer.Passed},
		{errors.New("custom"), balancer.Wrong},
		{context.DeadlineExceeded, balancer.Silent},
		{fmt.Errorf("custom: %w", &Error{Result: balancer.Refused, Err: errors.New("x")}), balancer.Refused},
		{&Error{Err: errors.New("without a result")}, balancer.Wrong},
		{fmt.Errorf("%w: %w", ErrNotProbed, syscall.EMFILE), balancer.Silent},
	} {
		if got := Result(tc.err); got != tc.want {
			t.Errorf("Result(%v): got %d, want %d", tc.err, got, tc.want)
		}
	}
}

func TestDialError(t *testing.T) {
	t.Parallel()
	f := func(err error, want balancer.Probe) {
		t.Helper()
		wrapped := &net.OpError{Op: "dial", Err: err}
		if got := Result(dialError(t.Context(), wrapped)); got != want {
			t.Errorf("%v: got %d, want %d", err, got, want)
		}
	}
	f(syscall.ECONNREFUSED, balancer.Refused)
	f(syscall.ENOENT, balancer.Refused)
	f(syscall.EHOSTUNREACH, balancer.Refused)
	f(syscall.ENETUNREACH, balancer.Refused)
	f(syscall.ETIMEDOUT, balancer.Silent)
	f(syscall.EAGAIN, balancer.Silent) // a unix socket whose backlog is full
	f(syscall.EADDRNOTAVAIL, balancer.Silent)
	f(syscall.ECONNRESET, balancer.Silent)
	f(&net.DNSError{IsNotFound: true}, balancer.Refused)
	f(&net.DNSError{IsTemporary: true}, balancer.Silent)

	if err := dialError(t.Context(), &net.OpError{Op: "dial", Err: syscall.EMFILE}); !errors.Is(err, ErrNotProbed) {
		t.Errorf("no descriptors: got %v, want ErrNotProbed", err)
	}
}

func TestAuthority(t *testing.T) {
	t.Parallel()
	f := func(s balancer.Spec, want string) {
		t.Helper()
		if got := members(t, s)[0].Authority(); got != want {
			t.Errorf("%+v: got %q, want %q", s, got, want)
		}
	}
	f(balancer.Spec{Addr: "10.0.0.1:80"}, "10.0.0.1")
	f(balancer.Spec{Addr: "10.0.0.1:80", TLS: true}, "10.0.0.1:80")
	f(balancer.Spec{Addr: "10.0.0.1:443", TLS: true}, "10.0.0.1")
	f(balancer.Spec{Addr: "10.0.0.1:8080", Name: "app.example"}, "app.example:8080")
	f(balancer.Spec{Addr: "[::1]:80"}, "[::1]")
	f(balancer.Spec{Addr: "[::1]:8080"}, "[::1]:8080")
	f(balancer.Spec{Addr: "[::1]:443", TLS: true}, "[::1]")
	f(balancer.Spec{Addr: "10.0.0.1:443", Name: "app.example", TLS: true}, "app.example")
	f(balancer.Spec{Addr: "unix:/run/app"}, "localhost")
}

func TestHostname(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"example.com:80": "example.com", "example.com": "example.com", "[::1]:80": "::1", "[::1]": "::1", "": "",
	} {
		if got := hostname(in); got != want {
			t.Errorf("hostname(%q): got %q, want %q", in, got, want)
		}
	}
}

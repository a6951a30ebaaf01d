package health

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

func TestTCP(t *testing.T) {
	t.Parallel()
	closeOnEOF := func(c net.Conn) { io.Copy(io.Discard, c); c.Close() }
	wantResult(t, probe(t, TCP{}, listener(t, "tcp", "127.0.0.1:0", closeOnEOF), long), balancer.Passed, "")
	wantResult(t, probe(t, TCP{}, listener(t, "unix", filepath.Join(t.TempDir(), "s"), closeOnEOF), long), balancer.Passed, "")
	wantResult(t, probe(t, TCP{}, silent(t), long), balancer.Passed, "") // the kernel accepted
	wantResult(t, probe(t, TCP{}, refused(t), long), balancer.Refused, "refused")
}

func TestTCPWithTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	p := TCP{TLS: clientTLS(s)}
	wantResult(t, probeTLS(t, p, s.Listener.Addr().String(), long), balancer.Passed, "")
	wantResult(t, probeTLS(t, p, hangup(t), long), balancer.Silent, "tls handshake")
	wantResult(t, probeTLS(t, p, silent(t), 50*time.Millisecond), balancer.Silent, "test limit")
	other := TCP{TLS: &tls.Config{RootCAs: p.TLS.RootCAs, ServerName: "other.test"}}
	wantResult(t, probeTLS(t, other, raw(t, "220 mail ready\r\n"), long), balancer.Silent, "tls handshake")
}

// A server that speaks first must see an ordinary close, not a reset.
func TestTCPEndsCleanly(t *testing.T) {
	t.Parallel()
	seen := make(chan error, 1)
	addr := listener(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		defer c.Close()
		io.WriteString(c, "220 mail ready\r\n")
		_, err := io.Copy(io.Discard, c)
		seen <- err
	})
	wantResult(t, probe(t, TCP{}, addr, long), balancer.Passed, "")
	if err := <-seen; err != nil {
		t.Errorf("server got %v, want EOF", err)
	}
}

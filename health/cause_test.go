package health

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/reason"
)

// TestCause: a failed probe has the reason with which a live request would have failed.
func TestCause(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/closes":
			panic(http.ErrAbortHandler)
		case "/hangs":
			<-r.Context().Done()
		case "/ill":
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	server.Config.ErrorLog = nil
	defer server.Close()
	nonsense := speak(t, "SSH-2.0-x\r\n")
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	for _, c := range []struct {
		addr, path, body string
		tls              bool
		why              reason.Reason
		status           int
	}{
		{addr: server.Listener.Addr().String(), path: "/"},
		{addr: server.Listener.Addr().String(), path: "/ill", why: reason.UpstreamStatus, status: http.StatusTeapot},
		{addr: server.Listener.Addr().String(), path: "/", body: "well"},
		{addr: server.Listener.Addr().String(), path: "/closes", why: reason.ClosedBeforeResponse},
		{addr: server.Listener.Addr().String(), path: "/hangs", why: reason.ResponseTimeout},
		{addr: server.Listener.Addr().String(), path: "/", tls: true, why: reason.TLSHandshake},
		{addr: nonsense, path: "/", why: reason.ResponseMalformed},
		{addr: gone.Addr().String(), path: "/", why: reason.ConnectRefused},
		{addr: "unix:/nowhere/app.sock", path: "/", why: reason.ConnectRefused},
		{addr: "app.invalid:80", path: "/", why: reason.DNSError},
	} {
		p, err := NewHTTP(HTTPOptions{Path: c.path, Body: c.body})
		if err != nil {
			t.Fatal(err)
		}
		pool, err := balancer.NewPool(balancer.Options{Name: "app"})
		if err != nil {
			t.Fatal(err)
		}
		pool.Update([]balancer.Spec{{Addr: c.addr, TLS: c.tls}})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		if c.path == "/hangs" {
			ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
		}
		met := p.Probe(ctx, pool.Members()[0].Upstream)
		cancel()
		pool.Update(nil)
		why, status := Cause(met)
		if dns := strings.HasPrefix(c.addr, "app.invalid"); dns && why == reason.DNSTimeout {
			continue // the resolver of this machine does not answer
		}
		if why != c.why || status != c.status {
			t.Errorf("%s%s: got %v %d, want %v %d: %v", c.addr, c.path, why, status, c.why, c.status, met)
		}
	}
	if why, _ := Cause(context.DeadlineExceeded); why != reason.ResponseTimeout {
		t.Errorf("somebody's own timeout: %v", why)
	}
	if why, _ := Cause(errors.New("x")); why != reason.None {
		t.Errorf("somebody's own error: %v", why)
	}
}

// speak starts a server that sends text to every client that connects.
func speak(t *testing.T, text string) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Write([]byte(text))
			c.Read(make([]byte, 4096))
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-ended })
	return l.Addr().String()
}

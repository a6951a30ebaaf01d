package doctor_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/advice/doctor"
	"github.com/goodgate/goodgate/internal/advice/finding"
)

// serveFastCGI runs a FastCGI application until the test ends.
func serveFastCGI(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go fcgi.Serve(ln, http.HandlerFunc(ok))
	return ln.Addr().String()
}

// pong answers uWSGI's ping, and closes all other connections.
func pong(t *testing.T) string {
	return raw(t, func(c net.Conn) {
		head := make([]byte, 4)
		if _, err := io.ReadFull(c, head); err == nil && head[0] == 100 {
			c.Write([]byte{100, 0, 0, 1})
		}
	})
}

// raw accepts connections and calls serve.
func raw(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return ln.Addr().String()
}

func TestProtocols(t *testing.T) {
	t.Parallel()
	web, fast, uwsgi := serve(t, ok), serveFastCGI(t), pong(t)
	h2 := httptest.NewUnstartedServer(http.HandlerFunc(ok))
	h2.Config.Protocols = new(http.Protocols)
	h2.Config.Protocols.SetUnencryptedHTTP2(true)
	h2.Start()
	t.Cleanup(h2.Close)
	secure := httptest.NewUnstartedServer(http.HandlerFunc(ok))
	secure.EnableHTTP2 = true
	secure.StartTLS()
	t.Cleanup(secure.Close)
	healthy(t, doctor.Target{Addr: fast, Protocol: doctor.FastCGI, Scheme: "fastcgi"})
	healthy(t, doctor.Target{Addr: uwsgi, Protocol: doctor.UWSGI, Scheme: "uwsgi"})
	healthy(t, doctor.Target{Addr: h2.Listener.Addr().String(), Protocol: doctor.HTTP2})
	healthy(t, doctor.Target{Addr: secure.Listener.Addr().String(), Protocol: doctor.HTTP2, TLS: &tls.Config{}, Insecure: true})
	healthy(t, doctor.Target{Addr: raw(t, func(net.Conn) {}), Protocol: doctor.SCGI})
	for _, p := range []doctor.Protocol{doctor.FastCGI, doctor.UWSGI, doctor.SCGI, doctor.HTTP2} {
		first(t, doctor.Target{Addr: web, Protocol: p}, "http_only", reason.ResponseMalformed, "http "+web)
	}
	ssh := raw(t, func(c net.Conn) { fmt.Fprint(c, "SSH-2.0-OpenSSH_9.2\r\n"); c.Read(make([]byte, 100)) })
	first(t, doctor.Target{Addr: ssh, Protocol: doctor.FastCGI}, "not_fastcgi", reason.ResponseMalformed, "")
	first(t, doctor.Target{Addr: fast}, "fastcgi_only", reason.ResponseMalformed, "")
	first(t, doctor.Target{Addr: uwsgi}, "uwsgi_only", reason.ResponseMalformed, "")
	silent := raw(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	first(t, doctor.Target{Addr: silent, Protocol: doctor.FastCGI}, "no_answer", reason.ResponseTimeout, "", hasty)
}

// If other members of a group answer, a member that refuses connections has stopped,
// even if something listens on a similar port.
func TestStopped(t *testing.T) {
	t.Parallel()
	up, near := serve(t, ok), serve(t, ok)
	_, port, _ := net.SplitHostPort(near)
	down := free(t, port)
	members := []doctor.Target{{Addr: up, Group: "app", Words: words}, {Addr: down, Group: "app", Words: words}}
	r := doctor.Examine(t.Context(), members, patient)
	if len(r.Findings) != 1 || r.Findings[0].Code != "nothing_listens" || r.Findings[0].Directive != "" || !strings.Contains(r.Findings[0].Seen, "1 of 2 upstreams") {
		t.Errorf("a member: found %+v", r.Findings)
	}
	how := patient
	how.Own = []string{port}
	r = doctor.Examine(t.Context(), members[1:], how)
	if len(r.Findings) != 1 || strings.Contains(r.Findings[0].Directive, port) {
		t.Errorf("beside the proxy's own port: found %+v", r.Findings)
	}
}

// free returns an address with an unused port similar to port.
func free(t *testing.T, port string) string {
	t.Helper()
	n := 0
	fmt.Sscan(port, &n)
	for i := n + 1; i < n+10; i++ {
		address := fmt.Sprintf("127.0.0.1:%d", i)
		if ln, err := net.Listen("tcp", address); err == nil {
			ln.Close()
			return address
		}
	}
	t.Skip("no free port beside " + port)
	return ""
}

// A name without a dot is usually a container's, and the remedy says so.
func TestContainerName(t *testing.T) {
	t.Parallel()
	r := look(t, doctor.Target{Addr: "no-such-container-of-ours:3000"}, hasty)
	if len(r.Findings) != 1 {
		t.Fatalf("found %+v", r.Findings)
	}
	f := r.Findings[0]
	if f.Code == "dns_timeout" || f.Code == "dns_failure" {
		t.Skip("no name server here")
	}
	if f.Code != "dns_not_found" || f.Severity != finding.Warning || f.Directive != "" || !strings.Contains(f.Do, "where the proxy runs") {
		t.Errorf("found %+v", f)
	}
}

// A step longer than a second is reported as progress, and the end of the context ends
// it.
func TestSlow(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]doctor.Target{
		"an answer":   {Protocol: doctor.HTTP},
		"a handshake": {TLS: &tls.Config{}},
		"a greeting":  {Protocol: doctor.FastCGI},
		"a socket":    {Preface: []byte("x")},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		target.Addr = raw(t, func(c net.Conn) { io.Copy(io.Discard, c) })
		told := 0
		o := doctor.Options{MaxWait: time.Hour, Progress: func(string) { told++; cancel() }}
		if doctor.Examine(ctx, []doctor.Target{target}, o); told == 0 {
			t.Errorf("%s: nothing was told", name)
		}
		cancel()
	}
}

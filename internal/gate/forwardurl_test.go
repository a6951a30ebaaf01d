package gate

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// TestForwardURL asks instances of a service by URL, over TLS and connections that stay
// open, and without the body of the request.
func TestForwardURL(t *testing.T) {
	t.Parallel()
	ca, dir := certtest.NewAuthority(t, "authority"), t.TempDir()
	cert, key := ca.Files(dir, "auth", ca.Issue("auth.example"))
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	var connections, questions, bodies atomic.Int64
	var instances []*httptest.Server
	for range 2 {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "*" { // a health check
				return
			}
			questions.Add(1)
			if n, _ := io.Copy(io.Discard, r.Body); n > 0 || r.ContentLength != 0 {
				bodies.Add(1)
			}
			w.Header().Set("Remote-User", "alice")
			if want := "GET /verify?rd=1 www.example http://www.example/a?b=c"; strings.Join([]string{r.Method, r.RequestURI, r.Host, r.Header.Get("X-Original-URL")}, " ") != want {
				w.WriteHeader(http.StatusForbidden)
			}
		}))
		s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
		s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				connections.Add(1)
			}
		}
		s.StartTLS()
		t.Cleanup(s.Close)
		instances = append(instances, s)
	}
	const form = `
listeners: ["127.0.0.1:0"]
routes: [{pool: app, access: {forward: {url: [%q, %q], host: keep, copy_headers: Remote-User, timeout: 2s, tls: {ca: %q, server_name: auth.example}}}}]
pools: {app: {upstreams: [%q], health: {type: none}}}
`
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Header.Get("Remote-User")) }))
	t.Cleanup(app.Close)
	c := parse(t, fmt.Sprintf(form, instances[0].URL+"/verify?rd=1", instances[1].URL+"/verify?rd=1", ca.File(dir), app.URL))
	g := start(t, c, Options{})
	ask := func() (int, string) {
		t.Helper()
		r, _ := http.NewRequest("POST", "http://"+g.addrs[0]+"/a?b=c", strings.NewReader("a body"))
		r.Host = "www.example"
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(body)
	}
	before := connections.Load()
	for range 20 {
		if status, user := ask(); status != 200 || user != "alice" {
			t.Fatalf("got %d %q, want 200 for alice", status, user)
		}
	}
	if n := connections.Load() - before; n > 8 { // one for each instance, and health checks
		t.Errorf("%d connections for 20 questions: they do not stay open", n)
	}
	if bodies.Load() != 0 {
		t.Errorf("%d questions with a body", bodies.Load())
	}
	instances[0].Close()
	for range 5 {
		if status, _ := ask(); status != 200 {
			t.Errorf("one of two instances is gone: got %d, want 200", status)
		}
	}
	instances[1].Close()
	if status, _ := ask(); status != http.StatusServiceUnavailable {
		t.Errorf("no instance: got %d, want 503", status)
	}
	// The service has no other name in a dump, which starts the same gate.
	again, _, err := config.Parse("dump.yaml", config.Dump(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if changes, err := config.DiffDumps(config.Dump(c), config.Dump(again)); err != nil || len(changes) > 0 {
		t.Errorf("the dump differs: %v, %v", changes, err)
	}
}

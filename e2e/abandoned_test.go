package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const nginxByDefault = `
events {}
http {
  server {
    listen %s;
    location / { proxy_pass http://%s; }
  }
}
`

// TestAbandonedBehindNginx checks that a request ends at the upstream when the client
// of an nginx in front gives up. By default nginx speaks HTTP/1.0 to goodgate, and
// closes its connection.
func TestAbandonedBehindNginx(t *testing.T) {
	t.Parallel()
	ended := make(chan bool)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		ended <- true
	}))
	t.Cleanup(app.Close)
	g := startSidecar(t, app.URL)
	dir, address := t.TempDir(), freeAddress(t)
	writeFile(t, dir, "nginx.conf", fmt.Sprintf(nginxByDefault, address, g.address))
	for name, front := range map[string]*nginx{"as it is by default": startNginxFile(t, dir, "nginx.conf", address), "with keep-alive": startNginx(t, g.address)} {
		ctx, giveUp := context.WithTimeout(context.Background(), time.Second)
		r, err := http.NewRequestWithContext(ctx, "GET", "http://"+front.address+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if res, err := http.DefaultClient.Do(r); err == nil {
			t.Errorf("nginx %s: got %s", name, res.Status)
			res.Body.Close()
		}
		giveUp()
		<-ended
	}
}

// TestPipedRequests checks that a script that shuts down its side after the request
// gets its answer (elastic/elasticsearch#11466), although the upstream is slow.
func TestPipedRequests(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(300 * time.Millisecond): // longer than goodgate waits until it looks
			io.WriteString(w, "answered")
		}
	}))
	t.Cleanup(app.Close)
	g := startSidecar(t, app.URL)
	for _, request := range []string{"GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"} {
		c, err := net.Dial("tcp", g.address)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, request)
		c.(*net.TCPConn).CloseWrite()
		got, err := io.ReadAll(c)
		c.Close()
		if err != nil || !strings.HasSuffix(string(got), "answered") && !strings.Contains(string(got), "\r\nanswered\r\n") {
			t.Errorf("%q: got %q, %v", request, got, err)
		}
	}
}

package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// Requests in flight at shutdown end gracefully.
func TestListenAndServe(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-goOn
		io.WriteString(w, "done")
	}))
	defer app.Close()
	pool, err := proxy.NewPool(balancer.DefaultOptions("app"), proxy.DefaultPoolOptions())
	if err != nil {
		t.Fatal(err)
	}
	pool.Update([]balancer.Spec{{Addr: app.Listener.Addr().String()}})
	defer pool.Update(nil)
	options := proxy.DefaultOptions()
	options.Routes = []proxy.Route{{Pool: pool}}
	p, err := proxy.New(options)
	if err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := p.ListenAndServe(t.Context(), address); err == nil {
		t.Error("no error with an address that is taken")
	}
	free.Close()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.ListenAndServe(ctx, address) }()
	conn := dialUntil(t, address)
	defer conn.Close()
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-begun
	stop()
	close(goOn)
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if body, err := io.ReadAll(r.Body); string(body) != "done" || err != nil {
		t.Errorf("the answer is %q, %v", body, err)
	}
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
}

// dialUntil connects as soon as the server listens.
func dialUntil(t *testing.T, address string) net.Conn {
	t.Helper()
	for {
		if conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address); err == nil {
			return conn
		}
		if t.Context().Err() != nil {
			t.Fatal("nobody listens")
		}
	}
}

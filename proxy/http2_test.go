package proxy_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// http2Setup makes the front speak HTTP/2, useHTTP2 the client.
func http2Setup(s setup) setup {
	s.server = func(srv *http.Server) {
		srv.Protocols = new(http.Protocols)
		srv.Protocols.SetUnencryptedHTTP2(true)
	}
	return s
}

func (w *world) useHTTP2() {
	tr := &http.Transport{
		Protocols: new(http.Protocols),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return w.net.DialContext(ctx, "tcp", "front:80")
		},
	}
	tr.Protocols.SetUnencryptedHTTP2(true)
	w.client.Transport = tr
	w.tb.Cleanup(tr.CloseIdleConnections)
}

// In HTTP/2 a deadline ends a stream even if nobody reads or writes.
func TestHTTP2DeadlinesHoldForWaitsAlone(t *testing.T) {
	t.Parallel()
	s := http2Setup(setup{upstreams: specs("app:80")})
	s.proxy.Listener = proxy.Listener{BodyIdle: time.Second, WriteIdle: time.Second}
	s.pool.Hold = proxy.Hold{For: time.Minute, MaxRequests: 1}
	bubble(t, s, func(w *world) {
		w.useHTTP2()
		w.app("app:80", func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			c := http.NewResponseController(w)
			c.Flush()
			time.Sleep(10 * time.Second)
			w.Write(body)
			c.Flush()
			time.Sleep(10 * time.Second)
			w.Write(body)
		})
		u := w.pool.Members()[0]
		u.SetOperator(balancer.Off)
		go func() {
			time.Sleep(10 * time.Second)
			u.SetOperator(balancer.Ready)
		}()
		got := w.send("POST", "/", &slow{pause: 900 * time.Millisecond, data: []byte("body")})
		check(t, "answer", fmt.Sprint(got.status, got.body, got.err), "200bodybody<nil>")
		check(t, "protocol", w.record().Proto, "HTTP/2.0")
	})
}

// A stream that is reset within its body means that the client has left.
func TestHTTP2ClientLeaves(t *testing.T) {
	t.Parallel()
	s := http2Setup(setup{upstreams: specs("app:80")})
	bubble(t, s, func(w *world) {
		w.useHTTP2()
		w.script("app:80", waitsForClose)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		body, never := io.Pipe()
		defer never.Close()
		w.do(w.request("POST", "/", body).WithContext(ctx))
		check(t, "reason", w.record().Reason, reason.ClientGone)
	})
}

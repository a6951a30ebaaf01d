package health

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// The servers run in the same process: time and allocations include both ends.

func benchmarkProbe(b *testing.B, p Prober, u *balancer.Upstream) {
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Probe(b.Context(), u); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTCP(b *testing.B) {
	addr := listener(b, "tcp", "127.0.0.1:0", func(c net.Conn) { io.Copy(io.Discard, c); c.Close() })
	benchmarkProbe(b, TCP{}, upstreams(b, addr)[0])
}

func BenchmarkAlive(b *testing.B) {
	addr := handle(b, func(http.ResponseWriter, *http.Request) {})
	benchmarkProbe(b, NewAlive(AliveOptions{}), upstreams(b, addr)[0])
}

func BenchmarkHTTP(b *testing.B) {
	addr := handle(b, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	benchmarkProbe(b, newHTTP(b, HTTPOptions{Body: "ok"}), upstreams(b, addr)[0])
}

func BenchmarkGRPC(b *testing.B) {
	l := listen(b, "tcp", "127.0.0.1:0")
	serveGRPC(b, l, knownServices())
	benchmarkProbe(b, NewGRPC(GRPCOptions{}), upstreams(b, l.Addr().String())[0])
}

func BenchmarkHTTPKept(b *testing.B) {
	addr := handle(b, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	p, u := newHTTP(b, HTTPOptions{Body: "ok"}).(liner), upstreams(b, addr)[0]
	l := &line{life: time.Hour, kept: NewKept(1)}
	defer l.close()
	b.ReportAllocs()
	for b.Loop() {
		if err := p.probeBy(b.Context(), u, l); err != nil {
			b.Fatal(err)
		}
	}
	if l.conn == nil {
		b.Error("the connection was not kept")
	}
}

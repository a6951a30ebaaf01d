package health

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	grpchealth "google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// serveGRPC runs a gRPC server with the health service h; nil = without one.
func serveGRPC(t testing.TB, l net.Listener, h healthpb.HealthServer, opts ...grpc.ServerOption) {
	t.Helper()
	s := grpc.NewServer(opts...)
	if h != nil {
		healthpb.RegisterHealthServer(s, h)
	}
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(l) }()
	t.Cleanup(func() { s.Stop(); <-done })
}

func listen(t testing.TB, network, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func knownServices() *grpchealth.Server {
	h := grpchealth.NewServer()
	h.SetServingStatus("up", healthpb.HealthCheckResponse_SERVING)
	h.SetServingStatus("down", healthpb.HealthCheckResponse_NOT_SERVING)
	h.SetServingStatus("odd", healthpb.HealthCheckResponse_UNKNOWN)
	return h
}

func TestGRPC(t *testing.T) {
	t.Parallel()
	l := listen(t, "tcp", "127.0.0.1:0")
	serveGRPC(t, l, knownServices())
	f := func(service string, want balancer.Probe, text string) {
		t.Helper()
		wantResult(t, probe(t, NewGRPC(GRPCOptions{Service: service}), l.Addr().String(), long), want, text)
	}
	f("", balancer.Passed, "")
	f("up", balancer.Passed, "")
	f("down", balancer.Drains, "NOT_SERVING")
	f("odd", balancer.Wrong, "UNKNOWN")
	f("absent", balancer.Wrong, "does not know this service")
}

func TestGRPCWithTLS(t *testing.T) {
	t.Parallel()
	web := httptest.NewUnstartedServer(http.NotFoundHandler()) // for its certificate; speaks HTTP/1.1 only
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.StartTLS()
	defer web.Close()
	l := listen(t, "tcp", "127.0.0.1:0")
	serveGRPC(t, l, knownServices(), grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: web.TLS.Certificates})))
	p := NewGRPC(GRPCOptions{Service: "up", TLS: clientTLS(web)})
	wantResult(t, probeTLS(t, p, l.Addr().String(), long), balancer.Passed, "")
	wantResult(t, probeTLS(t, p, web.Listener.Addr().String(), long), balancer.Silent, "no application protocol")
	withoutALPN := tls.NewListener(listen(t, "tcp", "127.0.0.1:0"), &tls.Config{Certificates: web.TLS.Certificates})
	defer withoutALPN.Close()
	go http.Serve(withoutALPN, http.NotFoundHandler())
	wantResult(t, probeTLS(t, p, withoutALPN.Addr().String(), long), balancer.Wrong, "did not agree on HTTP/2")
	wantResult(t, probeTLS(t, NewGRPC(GRPCOptions{TLS: &tls.Config{}}), l.Addr().String(), long), balancer.Silent, "tls handshake")
}

func TestGRPCUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	serveGRPC(t, listen(t, "unix", path), knownServices())
	wantResult(t, probe(t, NewGRPC(GRPCOptions{}), "unix:"+path, long), balancer.Passed, "")
}

type failing struct {
	healthpb.UnimplementedHealthServer
	check func(context.Context) error
}

func (f failing) Check(ctx context.Context, _ *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	return nil, f.check(ctx)
}

func TestGRPCFailures(t *testing.T) {
	t.Parallel()
	p := NewGRPC(GRPCOptions{})
	f := func(h healthpb.HealthServer, timeout time.Duration, want balancer.Probe, text string) {
		t.Helper()
		l := listen(t, "tcp", "127.0.0.1:0")
		serveGRPC(t, l, h)
		wantResult(t, probe(t, p, l.Addr().String(), timeout), want, text)
	}
	f(nil, long, balancer.Wrong, "has no health service")
	f(failing{check: func(context.Context) error { return status.Error(codes.Unavailable, "warming up") }}, long, balancer.Wrong, "warming up")
	f(failing{check: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}, 100*time.Millisecond, balancer.Silent, "test limit")

	wantResult(t, probe(t, p, refused(t), long), balancer.Refused, "refused")
	wantResult(t, probe(t, p, silent(t), 100*time.Millisecond), balancer.Silent, "test limit")
	wantResult(t, probe(t, p, hangup(t), long), balancer.Silent, "")

	// A server of HTTP/1 answers the preface with an error and closes: whether
	// that is read before the next write fails is a matter of timing.
	err := probe(t, p, handle(t, func(http.ResponseWriter, *http.Request) {}), long)
	if got := Result(err); got != balancer.Wrong && got != balancer.Silent {
		t.Errorf("a server of HTTP/1: got result %v (%v), want Wrong or Silent", got, err)
	}
}

func TestGRPCProbesInSequence(t *testing.T) {
	t.Parallel()
	l := listen(t, "tcp", "127.0.0.1:0")
	counting := &countingListener{Listener: l}
	serveGRPC(t, counting, knownServices())
	p := NewGRPC(GRPCOptions{})
	for range 3 {
		wantResult(t, probe(t, p, l.Addr().String(), long), balancer.Passed, "")
	}
	if got := counting.n.Load(); got != 3 {
		t.Errorf("got %d connections for 3 probes, want 3", got)
	}
}

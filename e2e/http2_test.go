package e2e_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// curl uses each version of HTTP, and Node answers with HTTP/2, without and with TLS on
// both sides.
func TestHTTP2CurlAndNode(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	ca, dir := certtest.NewAuthority(t, "authority"), t.TempDir()
	cert, key := ca.Files(dir, "site", ca.Issue("127.0.0.1"))
	clear, secure, plain := freePort(t), freePort(t), freeAddress(t)
	node := startProcess(t, "node", nil, need(t, "node"), "testdata/h2.js", strconv.Itoa(clear), strconv.Itoa(secure), cert, key)
	node.ready("tcp", fmt.Sprint("127.0.0.1:", clear))
	node.ready("tcp", fmt.Sprint("127.0.0.1:", secure))
	g := startGate(t, `
listeners:
  - {address: "${LISTEN}", tls: {certificates: [{cert: "${CERT}", key: "${KEY}"}]}}
  - {address: "${PLAIN}", http2: {cleartext: true}}
routes:
  - {match: {path: /clear}, pool: clear}
  - {match: {path: /tls}, pool: tls}
  - {match: {path: /auto}, pool: auto}
pools:
  clear: {protocol: h2c, health: {path: /}, upstreams: ["http://127.0.0.1:${CLEAR}"]}
  tls: {protocol: h2, tls: {ca: "${CA}"}, upstreams: ["https://127.0.0.1:${SECURE}"]}
  auto: {protocol: auto, tls: {ca: "${CA}"}, upstreams: ["https://127.0.0.1:${SECURE}"]}`,
		"CERT="+cert, "KEY="+key, "CA="+ca.File(dir), "PLAIN="+plain, "CLEAR="+strconv.Itoa(clear), "SECURE="+strconv.Itoa(secure))
	for _, how := range []struct{ flag, base, version string }{
		{"--http1.1", "https://" + g.address, "1.1"},
		{"--http2", "https://" + g.address, "2"},
		{"--http1.1", "http://" + plain, "1.1"},
		{"--http2-prior-knowledge", "http://" + plain, "2"},
	} {
		for path, scheme := range map[string]string{"/clear": "http", "/tls": "https", "/auto": "https"} {
			out, err := exec.Command("curl", "-sS", how.flag, "--max-time", "20", "--cacert", ca.File(dir), "-d", strings.Repeat("x", 100_000),
				"-w", " %{http_version} %{http_code}", how.base+path).CombinedOutput()
			if got, want := string(out), scheme+" POST 100000 "+how.version+" 200"; err != nil || got != want {
				t.Errorf("%s %s%s: got %q, %v, want %q", how.flag, how.base, path, got, err, want)
			}
		}
	}
}

// grpc-go's own client and server, with goodgate between them: calls, long streams, and
// the client's error when the server is gone.
func TestGRPC(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, services := grpc.NewServer(), health.NewServer()
	healthpb.RegisterHealthServer(server, services)
	go server.Serve(l)
	defer server.Stop()
	ca, dir := certtest.NewAuthority(t, "authority"), t.TempDir()
	cert, key := ca.Files(dir, "site", ca.Issue("127.0.0.1"))
	plain := freeAddress(t)
	g := startGate(t, `
listeners:
  - {address: "${LISTEN}", tls: {certificates: [{cert: "${CERT}", key: "${KEY}"}]}}
  - {address: "${PLAIN}", http2: {cleartext: true}}
pools:
  rpc: {protocol: h2c, health: {type: grpc}, hold: {for: 0s}, upstreams: ["http://${UPSTREAM}"]}`,
		"CERT="+cert, "KEY="+key, "PLAIN="+plain, "UPSTREAM="+l.Addr().String())
	g.waitMessage("upstream available") // the pool holds no request until then
	var clients []healthpb.HealthClient
	for address, c := range map[string]credentials.TransportCredentials{
		g.address: credentials.NewTLS(&tls.Config{RootCAs: ca.Pool()}),
		plain:     insecure.NewCredentials(),
	} {
		conn, err := grpc.NewClient("dns:///"+address, grpc.WithTransportCredentials(c))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		clients = append(clients, healthpb.NewHealthClient(conn))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, c := range clients {
		if r, err := c.Check(ctx, &healthpb.HealthCheckRequest{}); err != nil || r.Status != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("call: got %v, %v", r, err)
		}
		if _, err := c.Check(ctx, &healthpb.HealthCheckRequest{Service: "nobody"}); status.Code(err) != codes.NotFound {
			t.Errorf("the server's own failure: got %v", err)
		}
		stream, err := c.Watch(ctx, &healthpb.HealthCheckRequest{Service: "shop"})
		if err != nil {
			t.Fatal(err)
		}
		stream.Recv() // SERVICE_UNKNOWN, or the state that the previous client has left
		for _, want := range []healthpb.HealthCheckResponse_ServingStatus{1, 2, 1, 2} {
			services.SetServingStatus("shop", want)
			if r, err := stream.Recv(); err != nil || r.Status != want {
				t.Errorf("stream: got %v, %v, want %v", r, err, want)
			}
		}
		short, stop := context.WithTimeout(ctx, 200*time.Millisecond)
		quiet, err := c.Watch(short, &healthpb.HealthCheckRequest{})
		for err == nil {
			_, err = quiet.Recv()
		}
		stop()
		// The server knows the deadline too, and its own error may arrive first.
		own := status.Code(err) == codes.Canceled && status.Convert(err).Message() == "Stream has ended."
		if status.Code(err) != codes.DeadlineExceeded && !own {
			t.Errorf("deadline: got %v", err)
		}
	}
	server.Stop()
	for _, c := range clients {
		if _, err := c.Check(ctx, &healthpb.HealthCheckRequest{}); status.Code(err) != codes.Unavailable {
			t.Errorf("without a server: got %v", err)
		}
	}
}

package conformance_test

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
)

// interopCases are the cases of gRPC's interoperability tests that need no cloud
// account. A failed case ends the process with its name.
var interopCases = map[string]func(ctx context.Context, cc *grpc.ClientConn){
	"empty_unary":                 caseOf(interop.DoEmptyUnaryCall),
	"large_unary":                 caseOf(interop.DoLargeUnaryCall),
	"client_streaming":            caseOf(interop.DoClientStreaming),
	"server_streaming":            caseOf(interop.DoServerStreaming),
	"ping_pong":                   caseOf(interop.DoPingPong),
	"empty_stream":                caseOf(interop.DoEmptyStream),
	"timeout_on_sleeping_server":  caseOf(interop.DoTimeoutOnSleepingServer),
	"cancel_after_begin":          caseOf(interop.DoCancelAfterBegin),
	"cancel_after_first_response": caseOf(interop.DoCancelAfterFirstResponse),
	"custom_metadata":             caseOf(interop.DoCustomMetadata),
	"status_code_and_message":     caseOf(interop.DoStatusCodeAndMessage),
	"special_status_message":      caseOf(interop.DoSpecialStatusMessage),
	"unimplemented_method":        interop.DoUnimplementedMethod,
	"unimplemented_service": func(ctx context.Context, cc *grpc.ClientConn) {
		interop.DoUnimplementedService(ctx, testgrpc.NewUnimplementedServiceClient(cc))
	},
}

func caseOf(f func(context.Context, testgrpc.TestServiceClient, ...grpc.CallOption)) func(context.Context, *grpc.ClientConn) {
	return func(ctx context.Context, cc *grpc.ClientConn) { f(ctx, testgrpc.NewTestServiceClient(cc)) }
}

func TestGRPCInterop(t *testing.T) {
	p := newKeyPair(t)
	f := func(name string, server []grpc.ServerOption, pool func(address string) string, secure bool) {
		t.Run(name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			s := grpc.NewServer(server...)
			testgrpc.RegisterTestServiceServer(s, interop.NewTestServer())
			go s.Serve(ln)
			defer s.Stop()
			g := startGate(t, p, pool(ln.Addr().String()))
			address, creds := g.clear, insecure.NewCredentials()
			if secure {
				address, creds = g.tls, credentials.NewTLS(&tls.Config{RootCAs: p.roots})
			}
			cc, err := grpc.NewClient(address, grpc.WithTransportCredentials(creds))
			if err != nil {
				t.Fatal(err)
			}
			defer cc.Close()
			for name, run := range interopCases {
				t.Run(name, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
					defer cancel()
					run(ctx, cc)
				})
			}
			t.Logf("gRPC interop, %s: %d cases pass", name, len(interopCases))
		})
	}
	inClear := func(address string) string { return `{protocol: h2c, upstreams: ["http://` + address + `"]}` }
	byTLS := func(address string) string {
		return `{protocol: h2, upstreams: ["https://` + address + `"], tls: {ca: "` + p.cert + `"}}`
	}
	f("h2c", nil, inClear, false)
	f("TLS", []grpc.ServerOption{grpc.Creds(credentials.NewServerTLSFromCert(new(p.server(t))))}, byTLS, true)
	f("TLS to h2c", nil, inClear, true)
}

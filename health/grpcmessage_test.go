package health

import (
	"net"
	"sync/atomic"
	"testing"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	pb "google.golang.org/protobuf/proto"
)

type countingListener struct {
	net.Listener
	n atomic.Int32
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.n.Add(1)
	}
	return c, err
}

func TestCheckRequestIsReadByProtobuf(t *testing.T) {
	t.Parallel()
	for _, service := range []string{"", "a", "pkg.Service"} {
		var got healthpb.HealthCheckRequest
		if err := pb.Unmarshal(appendCheckRequest(nil, service)[framePrefix:], &got); err != nil || got.Service != service {
			t.Errorf("got %q, %v, want %q", got.Service, err, service)
		}
	}
}

func TestParseCheckReply(t *testing.T) {
	t.Parallel()
	f := func(in string, want serviceStatus, ok bool) {
		t.Helper()
		got, err := parseCheckReply([]byte(in))
		if (err == nil) != ok || ok && got != want {
			t.Errorf("%q: got %v, %v, want %v, ok %v", in, got, err, want, ok)
		}
	}
	f("\x00\x00\x00\x00\x02\x08\x01", serviceServing, true)
	f("\x00\x00\x00\x00\x02\x08\x02", 2, true)
	f("\x00\x00\x00\x00\x00", 0, true)
	f("\x00\x00\x00\x00\x05\x12\x01x\x08\x01", serviceServing, true) // an unknown field before it
	f("\x01\x00\x00\x00\x02\x08\x01", 0, false)                      // compressed
	f("\x00\x00\x00\x00\x03\x08\x01", 0, false)
	f("\x00\x00\x00\x00\x01\x08", 0, false)
	f("\x00\x00", 0, false)
}

func FuzzParseCheckReply(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x02\x08\x01"))
	f.Add([]byte("\x00\x00\x00\x00\x05\x12\x01x\x08\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseCheckReply(b)
		if err != nil {
			return
		}
		var want healthpb.HealthCheckResponse
		if err := pb.Unmarshal(b[framePrefix:], &want); err == nil && int32(got) != int32(want.Status) {
			t.Errorf("got %v, protobuf reads %v", got, want.Status)
		}
	})
}
